//! `pwd`.

use crate::userland::Sys;
use crate::userland::prog::Prog;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    match p.sys.getcwd() {
        Ok(cwd) => {
            p.put(format!("{cwd}\n")).await;
            0
        }
        Err(e) => p.fail_at("getcwd", e).await,
    }
}
