//! What `rmi` may do: decided before anything is touched. No I/O.

use crate::image::{ImageError, Reference, digest};

/// A container that is made from the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its short id.
    pub container: String,
    /// Its command runs, or is about to.
    pub running: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Take the name away, and the image too if it was its last.
    Name,
    /// Take the name away; a running container keeps the image, nameless.
    NameOnly,
    /// Take all names and the image away.
    Image,
}

/// Decides it, as Docker does. `text` is what the user gave, `names` all of the
/// image's names.
///
/// # Errors
/// [`ImageError::InUse`].
pub fn decide(
    text: &str,
    id: &str,
    names: &[Reference],
    users: &[User],
    force: bool,
) -> Result<Removal, ImageError> {
    let short = digest::hex(id).map_or(id, |hex| &hex[..12]);
    let running = users.iter().find(|u| u.running);
    let stopped = users.iter().find(|u| !u.running);
    let wanted = Reference::parse(text).map(Reference::or_latest);
    let by_name = wanted.as_ref().is_ok_and(|w| {
        names.contains(w) || (w.digest().is_some() && names.iter().any(|n| n.name() == w.name()))
    });
    let refuse =
        |what: String, why: String, hint: &str| Err(ImageError::InUse { what, why, hint: hint.to_owned() });
    if by_name {
        let last = names.len() == 1;
        return match (last, running, stopped) {
            (false, _, _) | (true, None, None) => Ok(Removal::Name),
            (true, None, Some(_)) if force => Ok(Removal::Name),
            (true, Some(_), _) if force => Ok(Removal::NameOnly),
            (true, run, stop) => {
                let user = run.or(stop).map_or("", |u| u.container.as_str());
                refuse(
                    format!("reference {text:?}"),
                    format!("container {user} is using its image {short}"),
                    "remove the container first (glassbox rm), or take only the name away with -f",
                )
            }
        };
    }
    if let Some(user) = running {
        return refuse(
            format!("image {short}"),
            format!("it is being used by running container {}", user.container),
            "end and remove the container first: glassbox rm -f",
        );
    }
    if let (Some(user), false) = (stopped, force) {
        return refuse(
            format!("image {short}"),
            format!("it is being used by stopped container {}", user.container),
            "remove the container first (glassbox rm), or use -f",
        );
    }
    let mut repositories: Vec<String> = names.iter().map(Reference::name).collect();
    repositories.dedup();
    if names.len() > 1 && repositories.len() > 1 && !force {
        return refuse(
            format!("image {short}"),
            format!(
                "it is referenced in several repositories: {}",
                names.iter().map(Reference::familiar).collect::<Vec<_>>().join(", ")
            ),
            "take the names away one by one, or all with -f",
        );
    }
    Ok(Removal::Image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_docker_decides() {
        let id = digest::of_bytes(b"x");
        let names = |all: &[&str]| -> Vec<Reference> {
            all.iter().map(|n| Reference::parse(n).unwrap().or_latest()).collect()
        };
        let user = |running| User { container: "c0ffee".into(), running };
        use Removal as R;
        type Case<'a> = (&'a str, &'a [&'a str], Vec<User>, bool, Option<Removal>);
        let table: Vec<Case<'_>> = vec![
            ("a", &["a"], vec![], false, Some(R::Name)),
            ("a", &["a"], vec![user(false)], false, None),
            ("a", &["a"], vec![user(false)], true, Some(R::Name)),
            ("a", &["a"], vec![user(true)], false, None),
            ("a", &["a"], vec![user(true)], true, Some(R::NameOnly)),
            ("a", &["a", "b"], vec![user(true)], false, Some(R::Name)),
            (&id, &["a"], vec![], false, Some(R::Image)),
            (&id, &["a:1", "a:2"], vec![], false, Some(R::Image)),
            (&id, &["a", "b"], vec![], false, None),
            (&id, &["a", "b"], vec![], true, Some(R::Image)),
            (&id, &["a"], vec![user(false)], false, None),
            (&id, &["a"], vec![user(false)], true, Some(R::Image)),
            (&id, &["a"], vec![user(true)], true, None),
            (&id, &[], vec![], false, Some(R::Image)),
        ];
        for (text, all, users, force, want) in table {
            let got = decide(text, &id, &names(all), &users, force);
            assert_eq!(got.as_ref().ok(), want.as_ref(), "{text} {all:?} {users:?} {force}: {got:?}");
        }
    }
}
