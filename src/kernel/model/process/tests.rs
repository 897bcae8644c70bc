//! Small programs against the scheduler.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::kernel::model::kernel::Console;
use crate::kernel::model::sys::ModelSys;
use crate::plan::op::Ns;
use crate::userland::{OpenFlags, Sys};

type Body = Box<dyn FnOnce(ModelSys) -> sched::Task>;

fn console() -> Console {
    Console { output: Box::new(|_, _| true), input: Box::new(|| None) }
}

/// Runs `body` as process 1 of a new pid namespace.
fn run(body: Body) -> Result<Exit, Standstill> {
    let program: Program = Rc::new(|_, _| Box::pin(async { 127 }));
    let mut machine = Machine::new(World::new(), program);
    let pid = machine.shared.world.borrow_mut().spawn(1, &[Ns::Pid, Ns::Mnt], None).unwrap();
    let sys = ModelSys::new(machine.shared.clone(), pid);
    machine.shared.started.borrow_mut().push((pid, body(sys)));
    let Stop::Ended(exit) = machine.run(pid, &mut console(), &mut |_| {})? else { panic!("nobody holds it") };
    Ok(exit)
}

macro_rules! program {
    (|$sys:ident| $body:block) => {
        run(Box::new(|$sys: ModelSys| {
            Box::pin(async move {
                let code: u8 = $body;
                code
            }) as sched::Task
        }))
    };
}

#[test]
fn a_pipe_carries_more_than_it_holds() {
    let exit = program!(|sys| {
        let (read, write) = sys.pipe().unwrap();
        let child = sys
            .fork(move |sys| async move {
                sys.close(read).unwrap();
                sys.write(write, &vec![7; 300_000]).await.unwrap();
                0
            })
            .unwrap();
        sys.close(write).unwrap();
        let mut total = 0;
        loop {
            let got = sys.read(read, 4096).await.unwrap();
            if got.is_empty() {
                break;
            }
            total += got.len();
        }
        assert_eq!(total, 300_000);
        assert_eq!(sys.wait(None).await, Ok((child, Exit::Code(0))));
        assert_eq!(sys.wait(None).await, Err(Errno::ECHILD));
        5
    });
    assert_eq!(exit, Ok(Exit::Code(5)));
}

#[test]
fn writing_to_nobody_kills_by_sigpipe_unless_ignored() {
    let exit = program!(|sys| {
        for ignore in [false, true] {
            let (read, write) = sys.pipe().unwrap();
            let child = sys
                .fork(move |sys| async move {
                    sys.close(read).unwrap();
                    sys.ignore_signal(13, ignore).unwrap();
                    sys.sleep(10).await;
                    match sys.write(write, b"x").await {
                        Err(Errno::EPIPE) => 9,
                        _ => 0,
                    }
                })
                .unwrap();
            sys.close(read).unwrap();
            sys.close(write).unwrap();
            let expected = if ignore { Exit::Code(9) } else { Exit::Signal(13) };
            assert_eq!(sys.wait(Some(child)).await, Ok((child, expected)));
        }
        0
    });
    assert_eq!(exit, Ok(Exit::Code(0)));
}

#[test]
fn sleepers_wake_in_order_and_time_jumps() {
    let order: Rc<RefCell<Vec<u64>>> = Rc::default();
    let seen = order.clone();
    let exit = run(Box::new(move |sys: ModelSys| {
        Box::pin(async move {
            let start = sys.now().0;
            for ms in [30_000, 10_000, 20_000] {
                let order = order.clone();
                sys.fork(move |sys| async move {
                    sys.sleep(ms).await;
                    order.borrow_mut().push(ms);
                    0
                })
                .unwrap();
            }
            for _ in 0..3 {
                sys.wait(None).await.unwrap();
            }
            assert_eq!(sys.now().0 - start, 30);
            0
        })
    }));
    assert_eq!(exit, Ok(Exit::Code(0)));
    assert_eq!(*seen.borrow(), [10_000, 20_000, 30_000]);
}

#[test]
fn process_1_is_immune_adopts_orphans_and_takes_all_with_it() {
    let exit = program!(|sys| {
        assert_eq!(sys.getpid(), 1);
        sys.kill(1, 9).unwrap();
        sys.kill(1, 15).unwrap();
        let child = sys
            .fork(|sys| async move {
                sys.fork(|sys| async move {
                    sys.sleep(50).await;
                    if sys.getppid() == 1 { 42 } else { 1 }
                })
                .unwrap();
                0
            })
            .unwrap();
        assert_eq!(sys.wait(None).await, Ok((child, Exit::Code(0))));
        let (orphan, exit) = sys.wait(None).await.unwrap();
        assert_eq!((orphan, exit), (3, Exit::Code(42)));
        sys.fork(|sys| async move {
            sys.sleep(1_000_000).await;
            0
        })
        .unwrap();
        7
    });
    assert_eq!(exit, Ok(Exit::Code(7)));
}

#[test]
fn everyone_waiting_is_told_as_a_standstill() {
    let exit = program!(|sys| {
        let (read, _write) = sys.pipe().unwrap();
        sys.read(read, 1).await.unwrap();
        0
    });
    assert_eq!(exit.unwrap_err().waiting.len(), 1);
}

#[test]
fn odd_calls_give_errors_and_nothing_else() {
    let exit = program!(|sys| {
        assert_eq!(sys.close(99), Err(Errno::EBADF));
        assert_eq!(sys.read(-1, 10).await, Err(Errno::EBADF));
        assert_eq!(sys.dup2(0, i32::MAX), Err(Errno::EBADF));
        assert_eq!(sys.kill(i32::MIN, 9), Err(Errno::ESRCH));
        assert_eq!(sys.kill(1, 99), Err(Errno::EINVAL));
        assert_eq!(sys.ignore_signal(9, true), Err(Errno::EINVAL));
        assert_eq!(sys.ignore_signal(i32::MAX, true), Err(Errno::EINVAL));
        assert_eq!(sys.wait(Some(77)).await, Err(Errno::ECHILD));
        assert_eq!(sys.grow(u64::MAX), Ok(()));
        assert_eq!(sys.read_dir("/proc/self/fd/../../nowhere").err(), Some(Errno::ENOENT));
        assert_eq!(sys.truncate("/tmp", u64::MAX).await, Err(Errno::EISDIR));
        sys.sleep(u64::MAX).await;
        0
    });
    assert_eq!(exit, Ok(Exit::Code(0)));
}

#[test]
fn a_fifo_waits_for_its_other_end() {
    let exit = program!(|sys| {
        sys.mknod("/tmp/fifo", crate::userland::FileType::Fifo, 0o666, 0, 0).unwrap();
        sys.fork(|sys| async move {
            let flags = OpenFlags { write: true, ..OpenFlags::default() };
            let fd = sys.open("/tmp/fifo", flags, 0).await.unwrap();
            sys.write(fd, b"through").await.unwrap();
            0
        })
        .unwrap();
        let fd = sys.open("/tmp/fifo", OpenFlags::READ, 0).await.unwrap();
        assert_eq!(sys.read(fd, 100).await.unwrap(), b"through");
        assert_eq!(sys.read(fd, 100).await.unwrap(), b"");
        0
    });
    assert_eq!(exit, Ok(Exit::Code(0)));
}

#[test]
fn a_caught_signal_interrupts_and_is_told_once() {
    let exit = program!(|sys| {
        let parent = sys.getpid();
        sys.catch_signal(10).unwrap();
        sys.fork(move |sys| async move {
            sys.sleep(5).await;
            sys.kill(parent, 10).unwrap();
            sys.sleep(5).await;
            0
        })
        .unwrap();
        assert_eq!(sys.wait(None).await, Err(Errno::EINTR));
        assert_eq!(sys.caught_signals(), [10]);
        assert_eq!(sys.caught_signals(), [0; 0]);
        sys.wait(None).await.unwrap();
        0
    });
    assert_eq!(exit, Ok(Exit::Code(0)));
}
