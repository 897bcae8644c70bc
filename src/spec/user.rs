//! `-u` and the image's `USER`: names and numbers to ids, by the image's own
//! `/etc/passwd` and `/etc/group`.

use super::SpecError;

/// Who the container's command runs as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups, sorted.
    pub groups: Vec<u32>,
    /// Home directory, `/` if unknown.
    pub home: String,
}

/// Resolves `user[:group]` (names or numbers; empty is root). `passwd` and
/// `group` are the texts of the image's files, empty if it has none.
pub fn resolve(wanted: &str, passwd: &str, group: &str) -> Result<User, SpecError> {
    resolve_in("image", wanted, passwd, group)
}

/// The same by the files of `whose`: `image` or `container`.
pub fn resolve_in(whose: &str, wanted: &str, passwd: &str, group: &str) -> Result<User, SpecError> {
    let (user, chosen_group) = match wanted.split_once(':') {
        Some((u, g)) => (u, Some(g)),
        None => (wanted, None),
    };
    let user = if user.is_empty() { "0" } else { user };
    let number = user.parse::<u32>().ok();
    let entry = passwd
        .lines()
        .map(|l| l.split(':').collect::<Vec<_>>())
        .find(|f| f.len() >= 6 && (f[0] == user || number.is_some_and(|n| f[2].parse() == Ok(n))));
    let (name, uid, gid, home) = match (&entry, number) {
        (Some(f), _) => (
            Some(f[0]),
            f[2].parse().map_err(|_| bad_file(whose, f[0]))?,
            f[3].parse().map_err(|_| bad_file(whose, f[0]))?,
            f[5].to_owned(),
        ),
        (None, Some(n)) => (None, n, 0, String::new()),
        (None, None) => {
            return Err(SpecError::new(format!(
                "unable to find user {user}: no matching entries in the {whose}'s passwd file"
            ))
            .hint(format!("give a number, such as -u 1000, or a user of the {whose}'s /etc/passwd")));
        }
    };
    let groups = group.lines().map(|l| l.split(':').collect::<Vec<_>>()).filter(|f| f.len() >= 4);
    let mut resolved =
        User { uid, gid, groups: Vec::new(), home: if home.is_empty() { "/".into() } else { home } };
    match chosen_group {
        None => {
            if let Some(name) = name {
                resolved.groups = groups
                    .filter(|f| f[3].split(',').any(|m| m == name))
                    .filter_map(|f| f[2].parse().ok())
                    .filter(|g| *g != gid)
                    .collect();
                resolved.groups.sort_unstable();
                resolved.groups.dedup();
            }
        }
        Some(wanted) => {
            let by_name = groups.into_iter().find(|f| f[0] == wanted).and_then(|f| f[2].parse().ok());
            resolved.gid = match (by_name, wanted.parse::<u32>()) {
                (Some(gid), _) | (None, Ok(gid)) => gid,
                (None, Err(_)) => {
                    return Err(SpecError::new(format!(
                        "unable to find group {wanted}: no matching entries in the {whose}'s group file"
                    ))
                    .hint(format!("give a number, or a group of the {whose}'s /etc/group")));
                }
            };
        }
    }
    Ok(resolved)
}

fn bad_file(whose: &str, name: &str) -> SpecError {
    SpecError::new(format!("the {whose}'s /etc/passwd has an entry {name:?} without numeric ids"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nweb:x:33:\nlog:x:4:web,root\nmedia:x:50:web\n";

    #[test]
    fn names_numbers_and_groups() {
        let user = |w| resolve(w, PASSWD, GROUP).unwrap();
        assert_eq!(user(""), User { uid: 0, gid: 0, groups: vec![4], home: "/root".into() });
        assert_eq!(user("web"), User { uid: 33, gid: 33, groups: vec![4, 50], home: "/srv".into() });
        assert_eq!(user("33"), user("web"));
        assert_eq!(user("1000"), User { uid: 1000, gid: 0, groups: vec![], home: "/".into() });
        assert_eq!(user("web:media").gid, 50);
        assert_eq!(user("7:8").gid, 8);
        assert!(resolve("nobody", PASSWD, GROUP).is_err());
        assert!(resolve("web:nogroup", PASSWD, GROUP).is_err());
        assert_eq!(resolve("", "", "").unwrap().uid, 0);
    }
}
