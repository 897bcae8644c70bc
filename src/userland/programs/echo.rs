//! `echo [-neE] [TEXT]…`.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::unescape;

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let is_option =
        |a: &String| a.len() > 1 && a.starts_with('-') && a[1..].chars().all(|c| "neE".contains(c));
    let options = p.args.iter().take_while(|a| is_option(a)).count();
    let letters: String = p.args[..options].concat();
    let newline = !letters.contains('n');
    let escapes = letters.rfind('e') > letters.rfind('E');
    let text = p.args[options..].join(" ");
    if escapes {
        let (bytes, stop) = unescape(&text, true);
        p.put(bytes).await;
        if stop {
            return 0;
        }
    } else {
        p.put(text).await;
    }
    if newline {
        p.put("\n").await;
    }
    0
}
