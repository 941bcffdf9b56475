//! `headgate media get`: what a person attached to a message, into a new file.
//!
//! Promises that a file is there only when it is whole and has Meta's own hash, that no file is
//! overwritten, and that its owner alone can read it. Where the bytes may come from is the Graph
//! client's guard.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use headgate_graph::{MediaClient, MediaError};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tempfile::NamedTempFile;

use crate::cli::MediaGetArgs;
use crate::connection::Connection;

const MEGABYTE: u64 = 1_000_000;

/// Downloads one medium.
///
/// # Errors
/// When the file is there, the token cannot be read, or the medium cannot be had whole.
pub async fn get(args: &MediaGetArgs) -> Result<ExitCode> {
    let client = Connection::open(args.client.env_file.as_deref())?
        .media()
        .await?;
    let bar = if args.client.json {
        ProgressBar::hidden()
    } else {
        ProgressBar::new(0).with_style(ProgressStyle::with_template(
            "{bar:30} {bytes}/{total_bytes} {eta}",
        )?)
    };
    let (size, kind) = download(&client, &args.id, &args.out, args.max_size, &bar).await?;
    bar.finish_and_clear();
    let file = args.out.display().to_string();
    let kind = kind.unwrap_or_default();
    if args.client.json {
        println!("{}", json!({"file": file, "size": size, "mime_type": kind}));
    } else {
        println!("{file}: {size} bytes of {kind}, with the hash Meta gave");
    }
    Ok(ExitCode::SUCCESS)
}

/// Downloads into a nameless file beside the wanted one, and gives it its name once it is whole.
async fn download(
    client: &MediaClient,
    id: &str,
    out: &Path,
    megabytes: u64,
    bar: &ProgressBar,
) -> Result<(u64, Option<String>)> {
    if out.try_exists().unwrap_or(true) {
        bail!("{} is there already: name another file", out.display());
    }
    let folder = out.parent().filter(|path| !path.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let mut file = NamedTempFile::new_in(folder)
        .with_context(|| format!("cannot write into {}", folder.display()))?;
    let media = client.locate(id).await?;
    if let Some(size) = media.size {
        bar.set_length(size);
    }
    let take = |bytes: &[u8]| -> io::Result<()> {
        file.write_all(bytes)?;
        bar.inc(u64::try_from(bytes.len()).unwrap_or(0));
        Ok(())
    };
    let size = match client.fetch(&media, megabytes * MEGABYTE, take).await {
        Ok(size) => size,
        Err(MediaError::TooLarge { .. }) => bail!(
            "the media is larger than {megabytes} MB: add --max-size, up to 2000, if you want it all the same"
        ),
        Err(error) => return Err(error.into()),
    };
    file.as_file().sync_all()?;
    file.persist_noclobber(out)
        .map_err(|error| error.error)
        .with_context(|| format!("cannot write {}", out.display()))?;
    Ok((size, media.mime_type))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests may fail loudly")]
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use headgate_redact::Secret;
    use meta_simulator::{Medium, Options, Simulator};

    use super::*;

    const ID: &str = "400000000000007";

    async fn stage(bytes: usize) -> (Simulator, MediaClient) {
        let proof = "ab".repeat(32);
        let simulator = Simulator::start(Options {
            appsecret_proof: Some(proof.clone()),
            media: vec![Medium {
                id: ID.to_owned(),
                mime_type: "image/jpeg".to_owned(),
                bytes: vec![7; bytes],
            }],
            ..Options::default()
        })
        .await
        .unwrap();
        let token = Secret::new(Options::default().access_token);
        let client = MediaClient::new(&simulator.url(), &token, Secret::new(proof)).unwrap();
        (simulator, client)
    }

    #[tokio::test]
    async fn a_medium_is_written_whole_for_its_owner_alone_and_over_nothing() {
        let (_simulator, client) = stage(300_000).await;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("receipt.jpg");
        let bar = ProgressBar::hidden();
        let (size, kind) = download(&client, ID, &out, 1, &bar).await.unwrap();
        assert_eq!((size, kind.as_deref()), (300_000, Some("image/jpeg")));
        assert_eq!(fs::read(&out).unwrap(), vec![7; 300_000]);
        assert_eq!(fs::metadata(&out).unwrap().permissions().mode() & 0o077, 0);
        assert_eq!(bar.position(), 300_000);

        fs::write(&out, "mine").unwrap();
        let again = download(&client, ID, &out, 1, &bar).await.unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
        assert_eq!(fs::read(&out).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn what_cannot_be_had_leaves_no_file() {
        let (_simulator, client) = stage(1_000_001).await;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("receipt.jpg");
        let bar = ProgressBar::hidden();
        for (id, why) in [
            (ID, "larger than 1 MB"),
            ("400000000000008", "no media of this id"),
            ("../me", "consists of digits"),
        ] {
            let error = download(&client, id, &out, 1, &bar).await.unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
