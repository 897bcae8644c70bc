//! Children in the background, and signals.

use super::super::state::{Run, Shell, TRAP_EXIT, quote, status_of};
use super::say;
use crate::userland::text::{SIGNALS, signal_number};
use crate::userland::{Errno, Pid, Sys};

fn pid_of<S: Sys>(sh: &Shell<S>, text: &str) -> Option<Pid> {
    match text.strip_prefix('%') {
        None => text.parse().ok(),
        Some("" | "%" | "+") => sh.jobs.last().map(|j| j.pid),
        Some(number) => {
            let number: u32 = number.parse().ok()?;
            sh.jobs.iter().find(|j| j.number == number).map(|j| j.pid)
        }
    }
}

/// Puts process ids where `%1` stands.
pub fn name_pids<S: Sys>(sh: &Shell<S>, args: &mut [String]) {
    for arg in args.iter_mut().filter(|a| a.starts_with('%')) {
        if let Some(pid) = pid_of(sh, arg) {
            *arg = pid.to_string();
        }
    }
}

/// `jobs`.
pub async fn jobs<S: Sys>(sh: &mut Shell<S>) -> Run<u8> {
    sh.reap();
    let line = |job: &super::super::state::Job| {
        let state = match job.ended {
            None => "Running".to_owned(),
            Some(0) => "Done".to_owned(),
            Some(status) => format!("Done({status})"),
        };
        format!("[{}] {} {state}\n", job.number, job.pid)
    };
    let text: String = sh.jobs.iter().map(line).collect();
    sh.jobs.retain(|j| j.ended.is_none());
    Ok(say(sh, &text).await)
}

/// `wait [PID | %JOB]…`.
pub async fn wait<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    if args.is_empty() {
        while let Some(job) = sh.jobs.iter().find(|j| j.ended.is_none()) {
            if let Err(signal) = wait_one(sh, job.pid).await? {
                return Ok(signal);
            }
        }
        sh.jobs.clear();
        return Ok(0);
    }
    let mut status = 0;
    for arg in args {
        let known = pid_of(sh, arg).and_then(|pid| sh.jobs.iter().find(|j| j.pid == pid));
        let Some(job) = known.cloned() else {
            status = 127;
            continue;
        };
        status = match job.ended {
            Some(status) => status,
            None => match wait_one(sh, job.pid).await? {
                Ok(status) => status,
                Err(signal) => return Ok(signal),
            },
        };
        sh.jobs.retain(|j| j.pid != job.pid);
    }
    Ok(status)
}

/// The child's status; or, after a trap ran, the status that its signal stands for.
async fn wait_one<S: Sys>(sh: &mut Shell<S>, pid: Pid) -> Run<Result<u8, u8>> {
    let status = match sh.sys.wait(Some(pid)).await {
        Ok((_, exit)) => status_of(exit),
        Err(Errno::EINTR) => {
            let trapped = sh.traps.keys().copied().filter(|s| *s != TRAP_EXIT).max().unwrap_or(2);
            sh.run_traps().await?;
            return Ok(Err((128 + trapped) as u8));
        }
        Err(_) => 127,
    };
    sh.note_ended(pid, status);
    Ok(Ok(status))
}

/// `trap [ACTION | -] SIGNAL…`.
pub async fn trap<S: Sys>(sh: &mut Shell<S>, args: &[String]) -> Run<u8> {
    let args = args.strip_prefix(&["--".to_owned()]).unwrap_or(args);
    if args.is_empty() {
        let name = |s: i32| match s {
            TRAP_EXIT => "EXIT".to_owned(),
            s => SIGNALS.get(s as usize - 1).map_or_else(|| s.to_string(), |n| (*n).to_owned()),
        };
        let text: String =
            sh.traps.iter().map(|(s, a)| format!("trap -- {} {}\n", quote(a), name(*s))).collect();
        return Ok(say(sh, &text).await);
    }
    let default = args[0] == "-" || args[0].parse::<u32>().is_ok() || args.len() == 1;
    let signals = if args[0] == "-" || !default { &args[1..] } else { args };
    let mut status = 0;
    for text in signals {
        let number = if text == "EXIT" { Some(TRAP_EXIT) } else { signal_number(text) };
        let Some(signal) = number else {
            sh.complain(&format!("trap: {text}: invalid signal specification")).await;
            status = 1;
            continue;
        };
        let action = (!default).then(|| args[0].clone());
        let result = match &action {
            _ if signal == TRAP_EXIT => Ok(()),
            None => sh.sys.ignore_signal(signal, false),
            Some(action) if action.is_empty() => sh.sys.ignore_signal(signal, true),
            Some(_) => sh.sys.catch_signal(signal),
        };
        if let Err(e) = result {
            // SIGKILL and SIGSTOP can be named, but nothing comes of it.
            if e != Errno::EINVAL {
                sh.complain_at(&format!("trap: {text}"), e).await;
                status = 1;
            }
            continue;
        }
        match action {
            Some(action) => sh.traps.insert(signal, action),
            None => sh.traps.remove(&signal),
        };
    }
    Ok(status)
}
