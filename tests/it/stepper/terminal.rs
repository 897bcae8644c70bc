//! A real terminal, that of tmux.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Ran, Sandbox};

/// A terminal with a shell in the sandbox.
pub struct Terminal<'s> {
    sandbox: &'s Sandbox,
}

impl<'s> Terminal<'s> {
    pub fn open(sandbox: &'s Sandbox, (width, height): (u16, u16)) -> Self {
        let terminal = Terminal { sandbox };
        let size = [width.to_string(), height.to_string()];
        let shell = "env PS1='ready> ' sh";
        let args = ["new-session", "-d", "-s", "t", "-x", &size[0], "-y", &size[1], shell];
        // A server that was told to end may still have the socket.
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let ran: Ran = terminal.tmux(&args).output().expect("the Debian package tmux is needed").into();
            if ran.status == 0 {
                break;
            }
            assert!(Instant::now() < deadline, "tmux does not start: {}", ran.err);
            std::thread::sleep(Duration::from_millis(50));
        }
        terminal.wait("ready>");
        terminal
    }

    pub fn tmux(&self, args: &[&str]) -> Command {
        let mut command = self.sandbox.inside("tmux");
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(self.sandbox.path("tmux")).args(args);
        command.env_remove("TMUX");
        command
    }

    pub fn ask(&self, args: &[&str]) -> String {
        let ran: Ran = self.tmux(args).output().unwrap().into();
        ran.out
    }

    /// Types a text as it is.
    pub fn text(&self, text: &str) {
        self.ask(&["send-keys", "-t", "t", "-l", text]);
    }

    /// Presses a key by tmux's name for it.
    pub fn key(&self, key: &str) {
        self.ask(&["send-keys", "-t", "t", key]);
    }

    pub fn line(&self, text: &str) {
        self.text(text);
        self.key("Enter");
    }

    pub fn screen(&self) -> String {
        self.ask(&["capture-pane", "-p", "-t", "t"])
    }

    /// Waits until the screen shows this.
    #[track_caller]
    pub fn wait(&self, wanted: &str) -> String {
        self.wait_for(wanted, |screen| screen.contains(wanted))
    }

    #[track_caller]
    pub fn wait_for(&self, what: &str, so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let screen = self.screen();
            if so(&screen) {
                return screen;
            }
            assert!(Instant::now() < deadline, "the screen never shows {what:?}:\n{screen}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// The line that the shell's prompt ends up on, after the program has ended.
    #[track_caller]
    pub fn wait_for_shell(&self) -> String {
        self.wait_for("the prompt at the end", |screen| screen.trim_end().ends_with("ready>"))
    }

    /// Leaves the stepper when the run is over.
    #[track_caller]
    pub fn leave_at_the_end(&self) -> String {
        self.wait("The run is over");
        self.text("q");
        self.wait_for_shell()
    }

    /// Settings, and whether a program has taken screen, mouse or cursor.
    pub fn state(&self) -> String {
        let tty = self.ask(&["display-message", "-p", "-t", "t", "#{pane_tty}"]);
        let stty = Command::new("stty").args(["-a", "-F", tty.trim()]).output().unwrap();
        let stty: Ran = stty.into();
        // Lines and columns are not settings.
        let settings: String = stty.expect(0).out.lines().skip(1).collect();
        let taken = self.ask(&[
            "display-message",
            "-p",
            "-t",
            "t",
            "alternate #{alternate_on} mouse #{mouse_any_flag} cursor #{cursor_flag}",
        ]);
        format!("{settings} {taken}")
    }

    /// Starts glassbox in the shell and waits for its first step.
    #[track_caller]
    pub fn glassbox(&self, args: &str, wanted: &str) -> String {
        let places = format!(
            "--root {} --run-root {}",
            self.sandbox.store().display(),
            self.sandbox.path("run").display()
        );
        self.line(&format!("clear; {} {places} {args}", crate::support::GLASSBOX));
        self.wait(wanted)
    }

    /// The pid of the glassbox that runs in the shell.
    pub fn pid(&self) -> i32 {
        let shell = self.ask(&["display-message", "-p", "-t", "t", "#{pane_pid}"]);
        let children = format!("/proc/{0}/task/{0}/children", shell.trim());
        let text = std::fs::read_to_string(children).unwrap();
        text.split_whitespace().next().expect("glassbox runs").parse().unwrap()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.ask(&["kill-server"]);
    }
}
