use std::path::PathBuf;
use std::sync::Arc;

use super::test_server::{Reply, TestServer};
use super::tests::{MANIFEST, blob_of, quick, repository, repository_with};
use super::*;
use crate::image::digest;
use crate::image::manifest::OCI_MANIFEST;

fn file_of(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("blob");
    std::fs::write(&path, bytes).unwrap();
    (dir, path)
}

fn push(repository: &Repository, bytes: &[u8], mount_from: &[String]) -> Result<Sent, RegistryError> {
    let (_dir, file) = file_of(bytes);
    let blob = blob_of(bytes);
    repository.push_blob(&Upload { blob: &blob, file: &file, mount_from, progress: &|_| {} })
}

#[test]
fn a_blob_that_is_there_is_not_sent() {
    let server = TestServer::start(|_, _| Reply::new(200));
    assert_eq!(push(&repository(&server), b"abc", &[]).unwrap(), Sent::There);
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_blob_is_mounted_where_it_can_be() {
    let server = TestServer::start(|seen, _| match seen.method.as_str() {
        "HEAD" => Reply::new(404),
        _ if seen.path.contains("from=other/app") => Reply::new(201),
        _ => Reply::new(404),
    });
    let from = ["team/app".to_owned(), "gone/app".to_owned(), "other/app".to_owned()];
    assert_eq!(push(&repository(&server), b"abc", &from).unwrap(), Sent::Mounted("other/app".into()));
    assert!(!server.lines().iter().any(|l| l.contains("from=team/app")), "not from itself");
}

#[test]
fn a_blob_in_one_request() {
    let server = TestServer::start(|seen, _| match seen.method.as_str() {
        "HEAD" => Reply::new(404),
        "POST" => Reply::new(202).header("Location", "/upload/1?state=s"),
        _ => Reply::new(201),
    });
    assert_eq!(push(&repository(&server), b"abc", &[]).unwrap(), Sent::Sent);
    let put = server.seen().pop().unwrap();
    assert_eq!(put.path, format!("/upload/1?state=s&digest={}", digest::of_bytes(b"abc")));
    assert_eq!(put.body, b"abc");
}

/// Takes pieces, and keeps what it received.
fn taking_pieces(limit: usize) -> TestServer {
    let received = Arc::new(std::sync::Mutex::new(Vec::<u8>::new()));
    TestServer::start(move |seen, _| {
        let mut received = received.lock().unwrap();
        match seen.method.as_str() {
            "HEAD" => Reply::new(404),
            "POST" => {
                received.clear();
                Reply::new(202).header("Location", "/upload/0")
            }
            "PATCH" => {
                assert_eq!(
                    seen.header("content-range"),
                    Some(format!("{}-{}", received.len(), received.len() + seen.body.len() - 1).as_str())
                );
                received.extend(&seen.body);
                Reply::new(202)
                    .header("Location", &format!("/upload/{}", received.len()))
                    .header("Range", &format!("0-{}", received.len() - 1))
            }
            _ if seen.body.len() > limit => Reply::new(413),
            _ => {
                received.extend(&seen.body);
                assert!(
                    seen.path.ends_with(&format!("?digest={}", digest::of_bytes(&received))),
                    "{}",
                    seen.path
                );
                Reply::new(201)
            }
        }
    })
}

#[test]
fn a_blob_in_pieces() {
    let server = taking_pieces(usize::MAX);
    let options = Options { upload_chunk: Some(4), ..quick() };
    push(&repository_with(&server.host(), options), b"0123456789", &[]).unwrap();
    let patches = server.lines().iter().filter(|l| l.starts_with("PATCH")).count();
    assert_eq!(patches, 3);
}

#[test]
fn a_blob_too_large_for_one_request_goes_in_pieces() {
    let server = taking_pieces(1000);
    let bytes = vec![7; 9 * 1024 * 1024];
    push(&repository(&server), &bytes, &[]).unwrap();
    let patches = server.lines().iter().filter(|l| l.starts_with("PATCH")).count();
    assert_eq!(patches, 2);
}

#[test]
fn an_upload_that_broke_goes_on_where_it_stopped() {
    let bytes: Vec<u8> = (0..100_000u32).flat_map(u32::to_le_bytes).collect();
    let rest = bytes[150_000..].to_vec();
    let digest = digest::of_bytes(&bytes);
    let server = TestServer::start(move |seen, n| match (seen.method.as_str(), n) {
        ("HEAD", _) => Reply::new(404),
        ("POST", _) => Reply::new(202).header("Location", "/upload/1"),
        ("PUT", 2) => Reply::none(),
        ("GET", _) => Reply::new(204).header("Location", "/upload/2").header("Range", "0-149999"),
        ("PATCH", _) => {
            assert_eq!(seen.header("content-range"), Some("150000-399999"));
            assert_eq!(seen.body, rest);
            Reply::new(202).header("Location", "/upload/3")
        }
        ("PUT", _) => {
            assert_eq!(seen.path, format!("/upload/3?digest={digest}"));
            Reply::new(201)
        }
        _ => Reply::new(500),
    });
    let result = push(&repository(&server), &bytes, &[]);
    assert_eq!(result.unwrap(), Sent::Sent, "{:?}", server.lines());
}

#[test]
fn refusals_of_an_upload() {
    for (status, words) in [(403, "access denied"), (400, "HTTP status 400")] {
        let server = TestServer::start(move |seen, _| match seen.method.as_str() {
            "HEAD" => Reply::new(404),
            "POST" => Reply::new(202).header("Location", "/upload/1"),
            _ => Reply::new(status),
        });
        let error = push(&repository(&server), b"abc", &[]).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let server = TestServer::start(|seen, _| Reply::new(if seen.method == "HEAD" { 404 } else { 202 }));
    let error = push(&repository(&server), b"abc", &[]).unwrap_err().to_string();
    assert!(error.contains("where to send"), "{error}");
}

#[test]
fn a_manifest_is_put() {
    let server = TestServer::start(|_, _| Reply::new(201));
    let digest = repository(&server).put_manifest("v1", MANIFEST.as_bytes(), OCI_MANIFEST).unwrap();
    assert_eq!(digest, digest::of_bytes(MANIFEST.as_bytes()));
    let seen = server.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("PUT", "/v2/team/app/manifests/v1"));
    assert_eq!(seen.header("content-type"), Some(OCI_MANIFEST));
    let server =
        TestServer::start(|_, _| Reply::new(201).header("Docker-Content-Digest", &digest::of_bytes(b"x")));
    let error = repository(&server).put_manifest("v1", MANIFEST.as_bytes(), OCI_MANIFEST).unwrap_err();
    assert!(matches!(error, RegistryError::Content { .. }), "{error}");
}
