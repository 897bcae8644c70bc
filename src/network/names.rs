//! Names and MAC addresses that follow from an identity, so that the same plan
//! always names the same things.

use sha2::{Digest, Sha256};

/// The longest name of a link, in bytes: `IFNAMSIZ` less the closing NUL.
pub const LINK_NAME_MAX: usize = 15;

/// The name of the host's end of a container's veth pair: `gb` and 12 digits
/// of the container's id.
pub fn host_link(container: &str) -> String {
    format!("gb{}", container.chars().take(12).collect::<String>())
}

/// A MAC address that follows from the text: locally administered and unicast
/// (`02:…`), equal for equal texts.
pub fn mac(seed: &str) -> String {
    let hash = Sha256::digest(seed.as_bytes());
    format!("02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", hash[0], hash[1], hash[2], hash[3], hash[4])
}

/// Reads `02:42:ac:11:00:02`.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

/// Writes a MAC address as `02:42:ac:11:00:02`.
pub fn show_mac(mac: &[u8]) -> String {
    mac.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

/// Whether the kernel takes it as the name of a link: 1 to 15 bytes, no slash,
/// colon or space, not `.` or `..`.
pub fn is_link_name(name: &str) -> bool {
    (1..=LINK_NAME_MAX).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.chars().any(|c| matches!(c, '/' | ':' | '\0') || c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_names() {
        let name = host_link("0123456789abcdef0123456789abcdef");
        assert_eq!(name, "gb0123456789ab");
        assert!(is_link_name(&name));
        for bad in ["", ".", "..", "a/b", "a b", "a:1", "sixteen-bytes-xx", "a\n"] {
            assert!(!is_link_name(bad), "{bad:?}");
        }
    }

    #[test]
    fn macs_are_stable_local_and_unicast() {
        assert_eq!(mac("a"), mac("a"));
        assert_ne!(mac("a"), mac("b"));
        let first = parse_mac(&mac("a")).unwrap();
        assert_eq!(first[0], 2);
        assert_eq!(show_mac(&first), mac("a"));
    }

    #[test]
    fn bad_macs() {
        for bad in
            ["", "02", "02:00:00:00:00", "02:00:00:00:00:00:00", "02:00:00:00:00:+1", "0200:00:00:00:0"]
        {
            assert_eq!(parse_mac(bad), None, "{bad:?}");
        }
    }
}
