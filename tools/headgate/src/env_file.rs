//! The env file: KEY=VALUE lines with which any SDK in any language finds a running `headgate dev`.
//!
//! Promises that a reader sees a whole file or none, and that only its owner can read it: it holds the
//! local app secret. Deliberately no quoting and no interpolation, so `source` and dotenv readers agree.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

/// Where `headgate dev` writes it unless told otherwise, and where the other commands look.
pub const DEFAULT_PATH: &str = ".headgate/dev.env";

/// Writes the file at once: readable by its owner alone, complete or absent.
///
/// # Errors
/// When the folder or the file cannot be written, or a value does not fit on one line.
pub fn write(path: &Path, values: &[(String, String)]) -> Result<()> {
    let mut text = String::from("# Written by `headgate dev`; valid while it runs.\n");
    for (key, value) in values {
        if value.contains(['\n', '\r', ' ', '"', '\'', '$', '`', '\\', '#']) {
            bail!("the value of {key} does not fit into an env file");
        }
        text.push_str(&format!("{key}={value}\n"));
    }
    if let Some(folder) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    // One that a crash left behind may have other rights.
    fs::remove_file(&temporary).ok();
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Reads a file of KEY=VALUE lines; blank lines, `#` comments and a leading `export` are passed over.
///
/// # Errors
/// When it cannot be read, or a line has no `=`.
pub fn read(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| {
        format!(
            "no {}: start `headgate dev` first, or pass --env-file",
            path.display()
        )
    })?;
    parse(&text).with_context(|| format!("{} is not an env file", path.display()))
}

fn parse(text: &str) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            bail!("line {} has no =", index + 1);
        };
        let value = value.trim().trim_matches('"').trim_matches('\'');
        values.insert(key.trim().to_owned(), value.to_owned());
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn what_was_written_is_read_back_by_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/dev.env");
        write(
            &path,
            &[
                pair("AWS_REGION", "ca-central-1"),
                pair("URL", "http://127.0.0.1:1/x=y"),
            ],
        )
        .unwrap();
        let values = read(&path).unwrap();
        assert_eq!(
            values.get("AWS_REGION").map(String::as_str),
            Some("ca-central-1")
        );
        assert_eq!(
            values.get("URL").map(String::as_str),
            Some("http://127.0.0.1:1/x=y")
        );
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        write(&path, &[pair("AWS_REGION", "eu-west-1")]).unwrap();
        assert_eq!(read(&path).unwrap().len(), 1, "replaced, not merged");
    }

    #[test]
    fn a_missing_file_says_what_to_do() {
        let error = read(Path::new("/nonexistent/dev.env"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("start `headgate dev` first, or pass --env-file"),
            "{error}"
        );
    }

    #[test]
    fn a_value_a_shell_would_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(write(&folder.path().join("x"), &[pair("A", "b c")]).is_err());
        assert!(write(&folder.path().join("x"), &[pair("A", "$(id)")]).is_err());
    }

    #[test]
    fn comments_and_exports_are_read_as_shells_read_them() {
        let values = parse("# c\n\nexport A=1\nB=\"2\"\n").unwrap();
        assert_eq!(values.get("A").map(String::as_str), Some("1"));
        assert_eq!(values.get("B").map(String::as_str), Some("2"));
        assert!(parse("nonsense").is_err());
    }
}
