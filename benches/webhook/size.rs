//! The binary as it ships, and how large it is.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Bytes of the binary, and of the archive that is uploaded.
pub(crate) struct Size {
    pub(crate) binary: u64,
    /// None without `zip`.
    pub(crate) archive: Option<u64>,
}

/// The target folder this program is in: `target/release/deps/webhook-…`.
pub(crate) fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(3).unwrap().to_owned()
}

/// Builds a function by itself and with profile `release`, as it ships.
pub(crate) fn built(target: &Path, function: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap();
    let status = Command::new(cargo)
        .args([
            "build",
            "--release",
            "--locked",
            "-p",
            function,
            "--target-dir",
        ])
        .arg(target)
        .status();
    assert!(status.unwrap().success(), "{function} does not build");
    target.join("release").join(function)
}

/// `zip -9` of the file `bootstrap`, which is all that the archive holds.
pub(crate) fn measure(binary: &Path) -> Size {
    let folder = binary.parent().unwrap().join("zip");
    std::fs::create_dir_all(&folder).unwrap();
    let bootstrap = folder.join("bootstrap");
    std::fs::copy(binary, &bootstrap).unwrap();
    let zip = Command::new("zip")
        .arg("-9qj")
        .arg("-")
        .arg(&bootstrap)
        .output();
    let archive = zip.ok().filter(|output| output.status.success());
    let size = Size {
        binary: std::fs::metadata(&bootstrap).unwrap().len(),
        archive: archive.map(|output| output.stdout.len() as u64),
    };
    std::fs::remove_dir_all(folder).unwrap();
    size
}
