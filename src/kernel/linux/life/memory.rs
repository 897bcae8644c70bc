//! Reads the memory of a process that waits in a system call.

use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

const PAGE: u64 = 4096;

/// Reads at most `into.len()` bytes; how many there were.
fn read(tid: i32, at: u64, into: &mut [u8]) -> usize {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: the local part is a slice of ours; the remote one is only an
    // address in another process, which the kernel checks.
    let n = unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) };
    usize::try_from(n).unwrap_or(0)
}

/// The bytes up to a zero; `None` when there is none within the longest path.
pub fn string(tid: i32, at: u64) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    let mut at = at;
    while at != 0 && text.len() < libc::PATH_MAX as usize {
        // Never across the end of a page: the next one may not be there.
        let mut buffer = [0; 256];
        let room = (PAGE - at % PAGE).min(buffer.len() as u64) as usize;
        let n = read(tid, at, &mut buffer[..room]);
        let got = &buffer[..n];
        if let Some(end) = got.iter().position(|b| *b == 0) {
            text.extend_from_slice(&got[..end]);
            return Some(text);
        }
        if n == 0 {
            return None;
        }
        text.extend_from_slice(got);
        at += n as u64;
    }
    None
}

/// The same as a path.
pub fn path(tid: i32, at: u64) -> Option<PathBuf> {
    string(tid, at).map(|bytes| PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

/// The first strings of a list of pointers that ends with a null one. `wide` is
/// whether pointers have 64 bits.
pub fn strings(tid: i32, at: u64, wide: bool, most: usize) -> Vec<String> {
    let size = if wide { 8 } else { 4 };
    let mut all = Vec::new();
    for n in 0..most as u64 {
        let mut pointer = [0; 8];
        if at == 0 || read(tid, at + n * size, &mut pointer[..size as usize]) < size as usize {
            break;
        }
        let pointer = u64::from_le_bytes(pointer);
        let Some(text) = (pointer != 0).then(|| string(tid, pointer)).flatten() else { break };
        all.push(String::from_utf8_lossy(&text).into_owned());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_read_up_to_its_zero() {
        let own = std::process::id() as i32;
        let text = std::ffi::CString::new("x".repeat(5000)).unwrap();
        assert_eq!(string(own, text.as_ptr() as u64), None, "longer than a path");
        let text = std::ffi::CString::new("y".repeat(700)).unwrap();
        assert_eq!(string(own, text.as_ptr() as u64).unwrap().len(), 700);
        assert_eq!(string(own, 0), None);
        assert_eq!(string(own, 8), None, "nothing is mapped there");
        let words = [c"tar".as_ptr(), c"x".as_ptr(), std::ptr::null()];
        assert_eq!(strings(own, words.as_ptr() as u64, true, 9), ["tar", "x"]);
        assert_eq!(strings(own, words.as_ptr() as u64, true, 1), ["tar"]);
    }
}
