//! `kill [-l] [-SIGNAL | -s SIGNAL] PID…`.

use crate::userland::Sys;
use crate::userland::prog::Prog;
use crate::userland::text::{SIGNALS, signal_number, words};

pub async fn main<S: Sys>(p: &mut Prog<S>) -> u8 {
    let mut args = p.args.clone();
    let mut signal = 15;
    match args.first().cloned().as_deref() {
        Some("-l") => return list(p, &args[1..]).await,
        Some("-s" | "-n") => {
            let name = args.get(1).cloned().unwrap_or_default();
            match signal_number(&name) {
                Some(number) => signal = number,
                None => return p.fail(&format!("bad signal name '{name}'")).await,
            }
            args.drain(..2);
        }
        Some("--") => drop(args.remove(0)),
        Some(option) if option.len() > 1 && option.starts_with('-') => {
            match signal_number(&option[1..]) {
                Some(number) => signal = number,
                None => return p.fail(&format!("bad signal name '{}'", &option[1..])).await,
            }
            args.remove(0);
            if args.first().is_some_and(|a| a == "--") {
                args.remove(0);
            }
        }
        _ => {}
    }
    if args.is_empty() {
        return p.fail("you need to specify whom to kill").await;
    }
    let mut status = 0;
    for arg in args {
        match arg.parse() {
            Ok(pid) => {
                if let Err(e) = p.sys.kill(pid, signal) {
                    status = p.fail(&format!("can't kill pid {pid}: {}", words(e))).await;
                }
            }
            Err(_) => status = p.fail(&format!("invalid number '{arg}'")).await,
        }
    }
    status
}

async fn list<S: Sys>(p: &mut Prog<S>, args: &[String]) -> u8 {
    if args.is_empty() {
        for (i, name) in SIGNALS.iter().enumerate() {
            p.put(format!("{:2}) {name}\n", i + 1)).await;
        }
        return 0;
    }
    for arg in args {
        // An exit status of a shell means the signal above 128.
        let number =
            signal_number(arg).or_else(|| arg.parse::<i32>().ok()).map(|n| if n > 128 { n - 128 } else { n });
        match number.and_then(|n| SIGNALS.get(usize::try_from(n).ok()?.checked_sub(1)?)) {
            Some(name) if arg.parse::<i32>().is_ok() => p.put(format!("{name}\n")).await,
            Some(_) => p.put(format!("{}\n", number.unwrap_or(0))).await,
            None => return p.fail(&format!("unknown signal '{arg}'")).await,
        }
    }
    0
}
