//! Error numbers of Linux, with their names and words, the same on every
//! platform: the modelled kernel returns them where there is no libc.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An error number, errno(3). Serialised by name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub i32);

macro_rules! errnos {
    ($($name:ident $number:literal $words:literal;)*) => {
        #[allow(missing_docs)]
        impl Errno {
            $(pub const $name: Errno = Errno($number);)*
        }
        const TABLE: &[(i32, &str, &str)] = &[$(($number, stringify!($name), $words)),*];
    };
}

errnos! {
    EPERM 1 "operation not permitted";
    ENOENT 2 "no such file or directory";
    ESRCH 3 "no such process";
    EINTR 4 "interrupted system call";
    EIO 5 "input/output error";
    ENXIO 6 "no such device or address";
    E2BIG 7 "argument list too long";
    ENOEXEC 8 "exec format error";
    EBADF 9 "bad file descriptor";
    ECHILD 10 "no child processes";
    EAGAIN 11 "resource temporarily unavailable";
    ENOMEM 12 "cannot allocate memory";
    EACCES 13 "permission denied";
    EFAULT 14 "bad address";
    ENOTBLK 15 "block device required";
    EBUSY 16 "device or resource busy";
    EEXIST 17 "file exists";
    EXDEV 18 "invalid cross-device link";
    ENODEV 19 "no such device";
    ENOTDIR 20 "not a directory";
    EISDIR 21 "is a directory";
    EINVAL 22 "invalid argument";
    ENFILE 23 "too many open files in system";
    EMFILE 24 "too many open files";
    ENOTTY 25 "inappropriate ioctl for device";
    ETXTBSY 26 "text file busy";
    EFBIG 27 "file too large";
    ENOSPC 28 "no space left on device";
    ESPIPE 29 "illegal seek";
    EROFS 30 "read-only file system";
    EMLINK 31 "too many links";
    EPIPE 32 "broken pipe";
    EDOM 33 "numerical argument out of domain";
    ERANGE 34 "numerical result out of range";
    EDEADLK 35 "resource deadlock avoided";
    ENAMETOOLONG 36 "file name too long";
    ENOLCK 37 "no locks available";
    ENOSYS 38 "function not implemented";
    ENOTEMPTY 39 "directory not empty";
    ELOOP 40 "too many levels of symbolic links";
    ENODATA 61 "no data available";
    EOVERFLOW 75 "value too large for defined data type";
    EUSERS 87 "too many users";
    ENOTSOCK 88 "socket operation on non-socket";
    EOPNOTSUPP 95 "operation not supported";
    EADDRINUSE 98 "address already in use";
    EADDRNOTAVAIL 99 "cannot assign requested address";
    ENETDOWN 100 "network is down";
    ENETUNREACH 101 "network is unreachable";
    ECONNRESET 104 "connection reset by peer";
    ENOTCONN 107 "transport endpoint is not connected";
    ETIMEDOUT 110 "connection timed out";
    ECONNREFUSED 111 "connection refused";
    EHOSTUNREACH 113 "no route to host";
    EALREADY 114 "operation already in progress";
    EDQUOT 122 "disk quota exceeded";
}

impl Errno {
    /// `ENOENT`, or `errno 999` for a number without a name here.
    pub fn name(self) -> String {
        match TABLE.iter().find(|e| e.0 == self.0) {
            Some(e) => e.1.to_owned(),
            None => format!("errno {}", self.0),
        }
    }

    /// The number's meaning in words.
    pub fn words(self) -> &'static str {
        TABLE.iter().find(|e| e.0 == self.0).map_or("unknown error", |e| e.2)
    }

    /// From `ENOENT` or `errno 999`.
    pub fn from_name(name: &str) -> Option<Errno> {
        if let Some(number) = name.strip_prefix("errno ") {
            return number.parse().ok().map(Errno);
        }
        TABLE.iter().find(|e| e.1 == name).map(|e| Errno(e.0))
    }
}

impl From<std::io::Error> for Errno {
    fn from(e: std::io::Error) -> Self {
        use std::io::ErrorKind as Kind;
        // An error that a library wrapped has lost its number, not its kind.
        e.raw_os_error().map_or_else(
            || match e.kind() {
                Kind::NotFound => Errno::ENOENT,
                Kind::PermissionDenied => Errno::EACCES,
                Kind::AlreadyExists => Errno::EEXIST,
                Kind::StorageFull => Errno::ENOSPC,
                Kind::QuotaExceeded => Errno::EDQUOT,
                Kind::ReadOnlyFilesystem => Errno::EROFS,
                Kind::NotADirectory => Errno::ENOTDIR,
                _ => Errno::EIO,
            },
            Errno,
        )
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.words(), self.name())
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Serialize for Errno {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for Errno {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let name = String::deserialize(d)?;
        Errno::from_name(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown errno {name:?}")))
    }
}
/// An I/O error in the words of an errno, if it has one.
pub fn io_words(error: &std::io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |n| Errno(n).to_string())
}
