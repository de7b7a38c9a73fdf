//! File systems that are small or read-only, without touching those of the machine.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use tempfile::TempDir;

/// A file system in memory, mounted where nobody but this test sees it.
///
/// A shell holds it in a mount namespace of its own; others reach it through the shell's root directory.
pub(crate) struct FileSystem {
    shell: Child,
    pub(super) input: Option<ChildStdin>,
    path: PathBuf,
    _mount_point: TempDir,
}

impl FileSystem {
    /// Mounts one with these options; none where the system does not let this user mount anything.
    pub(crate) fn mount(options: &str) -> Option<Self> {
        // As root, else as root of a user namespace.
        Self::mount_with(&["-m"], options).or_else(|| Self::mount_with(&["-r", "-m"], options))
    }

    fn mount_with(namespaces: &[&str], options: &str) -> Option<Self> {
        let mount_point = tempfile::tempdir().unwrap();
        let script = "mount -t tmpfs -o \"$0\" trackless-test \"$1\" && echo mounted && \
             read -r options && mount -o \"$options\" \"$1\" && read -r the_end";
        let mut shell = Command::new("unshare")
            .args(namespaces)
            .args(["sh", "-c", script, options])
            .arg(mount_point.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut answer = String::new();
        let mut output = BufReader::new(shell.stdout.take()?);
        let _ = output.read_line(&mut answer);
        if answer != "mounted\n" {
            let _ = shell.wait();
            return None;
        }
        let inside = mount_point.path().strip_prefix("/").unwrap();
        Some(Self {
            path: Path::new("/proc")
                .join(shell.id().to_string())
                .join("root")
                .join(inside),
            input: shell.stdin.take(),
            shell,
            _mount_point: mount_point,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FileSystem {
    fn drop(&mut self) {
        // The shell has nothing more to read and ends, and its namespace with it.
        drop(self.input.take());
        let _ = self.shell.wait();
    }
}
