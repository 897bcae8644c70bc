use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::image::layers::test_tar::Tar;
use crate::image::{Store, digest};

/// Blobs in memory; a stream may break, and be opened again.
#[derive(Default)]
struct Memory {
    blobs: BTreeMap<String, Vec<u8>>,
    /// Each stream ends with an error after so many bytes.
    breaks_after: Option<usize>,
    opened: Mutex<Vec<u64>>,
}

impl BlobSource for Memory {
    fn open(&self, blob: &Descriptor, offset: u64) -> Result<Box<dyn Read + Send>, ImageError> {
        self.opened.lock().unwrap().push(offset);
        let Some(bytes) = self.blobs.get(blob.digest().as_ref()) else {
            return Err(ImageError::Fetch { blob: blob.digest().to_string(), reason: "not found".into() });
        };
        let rest = bytes[offset as usize..].to_vec();
        match self.breaks_after {
            Some(n) if rest.len() > n => Ok(Box::new(Cursor::new(rest[..n].to_vec()).chain(Broken))),
            _ => Ok(Box::new(Cursor::new(rest))),
        }
    }

    fn resumable(&self) -> bool {
        self.breaks_after.is_some()
    }
}

struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("connection reset"))
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

fn noise(n: usize) -> String {
    let mut x = 7u32;
    let next = |_| {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (x >> 24) as u8 % 26)
    };
    (0..n).map(next).collect()
}

/// Layers of these tars; those of odd position compressed.
fn layers(source: &mut Memory, tars: &[Vec<u8>]) -> Vec<Wanted> {
    let diffs: Vec<String> = tars.iter().map(|t| digest::of_bytes(t)).collect();
    let chains = digest::chain_ids(&diffs);
    let mut all = Vec::new();
    for (i, (tar, (diff_id, chain_id))) in tars.iter().zip(diffs.into_iter().zip(chains)).enumerate() {
        let (blob, kind) = match i % 2 {
            0 => (tar.clone(), "tar"),
            _ => (gzip(tar), "tar+gzip"),
        };
        let name = digest::of_bytes(&blob);
        let media = format!("application/vnd.oci.image.layer.v1.{kind}");
        let descriptor = Descriptor::new(
            media.as_str().into(),
            blob.len() as u64,
            name.parse::<oci_spec::image::Digest>().unwrap(),
        );
        source.blobs.insert(name, blob);
        all.push(Wanted { blob: descriptor, diff_id, chain_id });
    }
    all
}

fn tars(n: usize) -> Vec<Vec<u8>> {
    let big = noise(700_000);
    (0..n)
        .map(|i| Tar::new().dir("d").file(&format!("d/f{i}"), &big[i..]).file(".wh.gone", "").done())
        .collect()
}

fn start(store: &Store, layers: &[Wanted], source: Memory, lanes: usize) -> (Intake, Arc<Memory>) {
    let source = Arc::new(source);
    let options = Options { lanes, ..Options::default() };
    (Intake::start(store, layers.to_vec(), source.clone(), options, Quiet::shared()).unwrap(), source)
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .map(|all| all.map(|e| e.unwrap().file_name().into_string().unwrap()).collect())
        .unwrap_or_default();
    names.sort();
    names
}

#[test]
#[ignore = "root"]
fn layers_are_stored_and_unpacked_whatever_the_number_of_lanes() {
    for lanes in [0, 1, 4] {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(place.path());
        let mut source = Memory::default();
        let wanted = layers(&mut source, &tars(4));
        let blobs = source.blobs.clone();
        let (intake, _) = start(&store, &wanted, source, lanes);
        for (i, layer) in wanted.iter().enumerate() {
            let outcome = intake.wait(i).unwrap();
            assert!(!outcome.blob_there && !outcome.tree_there);
            let unpacked = outcome.unpacked.unwrap();
            assert_eq!((unpacked.entries, unpacked.whiteouts, outcome.fetched), (3, 1, layer.blob.size()));
            assert_eq!(files(&store.layer_dir(&layer.chain_id).unwrap()), ["d", "gone"]);
            let name = layer.blob.digest().to_string();
            assert_eq!(std::fs::read(store.blob(&name).unwrap()).unwrap(), blobs[&name]);
            assert!(store.root().join(Store::short_name(&layer.chain_id)).is_dir());
        }
        drop(intake);
        assert_eq!(files(&store.root().join("tmp")), [""; 0]);

        let (again, source) = start(&store, &wanted, Memory::default(), lanes);
        for i in 0..wanted.len() {
            let outcome = again.wait(i).unwrap();
            assert!(outcome.blob_there && outcome.tree_there && outcome.fetched == 0);
        }
        assert!(source.opened.lock().unwrap().is_empty());
        assert_eq!(again.wait(99).unwrap_err(), ImageError::Stopped);
    }
}

#[test]
#[ignore = "root"]
fn a_stream_that_breaks_goes_on_where_it_stopped() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let mut source = Memory { breaks_after: Some(300_000), ..Memory::default() };
    let wanted = layers(&mut source, &tars(2));
    let (intake, source) = start(&store, &wanted, source, 1);
    assert_eq!(intake.wait(0).unwrap().resumed, 2);
    assert!(intake.wait(1).unwrap().unpacked.is_some());
    assert_eq!(source.opened.lock().unwrap()[..3], [0, 300_000, 600_000]);
}

#[test]
#[ignore = "root"]
fn a_stream_that_never_goes_on_is_given_up() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let mut source = Memory { breaks_after: Some(0), ..Memory::default() };
    let wanted = layers(&mut source, &tars(1));
    let (intake, _) = start(&store, &wanted, source, 1);
    let error = intake.wait(0).unwrap_err();
    assert!(error.to_string().ends_with("connection reset"), "{error}");
}

#[test]
#[ignore = "root"]
fn what_is_wrong_is_found_and_nothing_of_it_stays() {
    type Spoil = fn(&mut Memory, &mut Vec<Wanted>);
    let table: &[(&str, Spoil)] = &[
        ("digest is", |m, w| {
            let name = w[1].blob.digest().to_string();
            // Still a gzip stream: only the digest tells.
            let other = gzip(&Tar::new().file("other", "x").done());
            w[1].blob.set_size(other.len() as u64);
            m.blobs.insert(name, other);
        }),
        ("the uncompressed layer", |_, w| w[1].diff_id = w[0].diff_id.clone()),
        ("the uncompressed layer", |_, w| w[0].diff_id = w[1].diff_id.clone()),
        ("it has", |m, w| m.blobs.get_mut(&w[1].blob.digest().to_string()).unwrap().push(0)),
        ("it has", |m, w| m.blobs.get_mut(&w[0].blob.digest().to_string()).unwrap().truncate(9)),
        ("not found", |m, w| drop(m.blobs.remove(&w[1].blob.digest().to_string()))),
        ("type", |_, w| w[1].blob = Descriptor::new("text/plain".into(), 1, w[1].blob.digest().clone())),
        ("digest is", |m, w| {
            let name = w[1].blob.digest().to_string();
            m.blobs.get_mut(&name).unwrap()[1000] ^= 1;
        }),
        ("leads out", |m, w| {
            let mut hostile = layers(m, &[tars(1).remove(0), Tar::new().file("../x", "x").done()]);
            w[1] = hostile.remove(1);
        }),
    ];
    for (expected, spoil) in table {
        for lanes in [0, 1, 3] {
            let place = tempfile::tempdir().unwrap();
            let store = Store::open(place.path());
            let mut source = Memory::default();
            let mut wanted = layers(&mut source, &tars(2));
            spoil(&mut source, &mut wanted);
            let (intake, _) = start(&store, &wanted, source, lanes);
            let errors: Vec<_> = (0..2).filter_map(|i| intake.wait(i).err()).collect();
            assert!(!errors.is_empty() && errors[0].to_string().contains(expected), "{expected}: {errors:?}");
            drop(intake);
            assert_eq!(files(&store.root().join("tmp")), [""; 0]);
            for name in files(&store.root().join("blobs/sha256")) {
                let bytes = std::fs::read(store.root().join("blobs/sha256").join(&name)).unwrap();
                assert_eq!(digest::of_bytes(&bytes), format!("sha256:{name}"));
            }
            for name in files(&store.root().join("layers")) {
                assert_eq!(files(&store.root().join("layers").join(name)), ["diff", "size"]);
            }
        }
    }
}

#[test]
#[ignore = "root"]
fn one_blob_at_two_heights_is_fetched_once() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let mut source = Memory::default();
    let mut wanted = layers(&mut source, &tars(2));
    let chains = digest::chain_ids(&[&wanted[0].diff_id, &wanted[1].diff_id, &wanted[1].diff_id]);
    wanted.push(Wanted { chain_id: chains[2].clone(), ..wanted[1].clone() });
    let (intake, source) = start(&store, &wanted, source, 4);
    for (i, layer) in wanted.iter().enumerate() {
        intake.wait(i).unwrap();
        assert!(store.layer_dir(&layer.chain_id).unwrap().is_dir());
    }
    assert_eq!(source.opened.lock().unwrap().len(), 2);
}

#[test]
#[ignore = "root"]
fn a_cancelled_intake_ends_and_leaves_nothing() {
    struct Endless(AtomicUsize);
    impl BlobSource for Arc<Endless> {
        fn open(&self, _: &Descriptor, _: u64) -> Result<Box<dyn Read + Send>, ImageError> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Box::new(std::io::repeat(0)))
        }
    }
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let mut wanted = layers(&mut Memory::default(), &tars(1));
    wanted[0].blob.set_size(1 << 40);
    let source = Arc::new(Endless(AtomicUsize::new(0)));
    let intake = Intake::start(
        &store,
        wanted,
        Arc::new(source.clone()),
        Options { unpack: false, lanes: 1, ..Options::default() },
        Quiet::shared(),
    )
    .unwrap();
    while source.0.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    intake.cancel();
    assert_eq!(intake.wait(0).unwrap_err(), ImageError::Stopped);
    drop(intake);
    assert_eq!(files(&store.root().join("tmp")), [""; 0]);
    assert_eq!(files(&store.root().join("blobs/sha256")), [""; 0]);
}

#[test]
#[ignore = "root"]
fn what_is_in_flight_is_leased() {
    let place = tempfile::tempdir().unwrap();
    let store = Store::open(place.path());
    let old = crate::image::store::tests::put(&store, &["old"], &[tars(1).remove(0)]);
    store.unpack(&old.layers[0]).unwrap();
    let mut source = Memory::default();
    let wanted = layers(&mut source, &tars(2));
    let (intake, _) = start(&store, &wanted, source, 2);
    assert!(intake.wait(0).unwrap().blob_there);
    store.remove("old", &|| Ok(Default::default()), &|_| Ok(None)).unwrap();
    assert!(store.blob(wanted[0].blob.digest().as_ref()).unwrap().exists());
    assert!(store.layer_dir(&wanted[0].chain_id).unwrap().is_dir());
    drop(intake);
    assert!(store.leased().is_empty());
}
