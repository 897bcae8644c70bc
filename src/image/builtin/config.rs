//! The image config of `box`.

use std::collections::HashMap;

use oci_spec::image::{Arch, ImageConfiguration, Os};

use super::BuiltinLayer;

/// Label that tells the built-in image from a user's own of that name; its
/// value is the digest of the program.
pub const BUILTIN_LABEL: &str = "glassbox.build";

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// The image is made from the program, at no time of its own.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// The config: environment, command, history.
/// `machine` is that of the program in it.
pub fn config(
    layers: &[BuiltinLayer],
    diff_ids: &[String],
    build: &str,
    machine: Arch,
) -> ImageConfiguration {
    use oci_spec::image::{Config, History, RootFs};

    let mut run = Config::default();
    run.set_env(Some(vec![PATH.to_owned()]));
    run.set_cmd(Some(vec!["sh".to_owned()]));
    run.set_labels(Some(HashMap::from([(BUILTIN_LABEL.to_owned(), build.to_owned())])));

    let line = |text: &str, empty: bool| {
        let mut history = History::default();
        history.set_created(Some(CREATED.to_owned()));
        history.set_created_by(Some(text.to_owned()));
        history.set_empty_layer(empty.then_some(true));
        history
    };
    let mut history: Vec<History> = layers.iter().map(|l| line(&l.created_by, false)).collect();
    history.push(line(&format!("ENV {PATH}"), true));
    history.push(line("CMD [\"sh\"]", true));

    let mut rootfs = RootFs::default();
    rootfs.set_diff_ids(diff_ids.to_vec());
    let mut config = ImageConfiguration::default();
    config.set_created(Some(CREATED.to_owned()));
    config.set_os(Os::Linux);
    config.set_architecture(machine);
    config.set_config(Some(run));
    config.set_rootfs(rootfs);
    config.set_history(Some(history));
    config
}
