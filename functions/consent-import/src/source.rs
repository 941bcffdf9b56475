//! The file in its bucket, a piece at a time: looked at as a whole before anything of it is used.
//!
//! A survey reads the file once, for its hash, its rows and its faults. What is read again later must be
//! the same, piece by piece: a file that somebody replaced meanwhile is another file.

use headgate_aws::AwsError;
use headgate_aws::objects::Bucket;
use headgate_domain::import::{FileFault, FileHash, Reader};
use headgate_domain::time::Timestamp;
use sha2::{Digest as _, Sha256};

/// What is held of a file at a time.
pub(crate) const PIECE: usize = 1 << 20;

/// Where a file lies.
pub(crate) struct Source<'a> {
    pub(crate) bucket: &'a Bucket,
    pub(crate) key: &'a str,
}

/// What a look at the whole file shows.
pub(crate) struct Survey {
    pub(crate) file: FileHash,
    /// How many rows it has, or why nothing of it is used.
    pub(crate) rows: Result<u64, FileFault>,
    /// The hash of each piece.
    pieces: Vec<[u8; 32]>,
}

impl Survey {
    /// Whether a piece is still the one that was looked at.
    pub(crate) fn knows(&self, index: u64, piece: &[u8]) -> bool {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let hash: [u8; 32] = Sha256::digest(piece).into();
        self.pieces.get(index) == Some(&hash)
    }
}

impl Source<'_> {
    /// A piece of the file by its place; shorter at the end, empty beyond, `None` when there is no file.
    pub(crate) async fn piece(&self, index: u64) -> Result<Option<Vec<u8>>, AwsError> {
        let length = u64::try_from(PIECE).unwrap_or(u64::MAX);
        self.bucket
            .find_part(self.key, index.saturating_mul(length), PIECE)
            .await
    }

    /// Looks at the whole file; `None` when there is none.
    pub(crate) async fn survey(&self, now: Timestamp) -> Result<Option<Survey>, AwsError> {
        let mut digest = Sha256::new();
        let mut pieces = Vec::new();
        let mut reader = Reader::new();
        let mut fault = None;
        for index in 0_u64.. {
            let Some(piece) = self.piece(index).await? else {
                return Ok(None);
            };
            let is_last = piece.len() < PIECE;
            digest.update(&piece);
            pieces.push(Sha256::digest(&piece).into());
            if fault.is_none() {
                fault = read(&mut reader, &piece, is_last, now).err();
            }
            if is_last {
                break;
            }
        }
        Ok(Some(Survey {
            file: FileHash::of(digest),
            rows: fault.map_or(Ok(reader.position().rows), Err),
            pieces,
        }))
    }
}

/// Reads every row of a piece, and of a last one to the end.
fn read(reader: &mut Reader, piece: &[u8], is_last: bool, now: Timestamp) -> Result<(), FileFault> {
    let mut rest = piece;
    while !rest.is_empty() {
        let step = reader.read(rest, now)?;
        rest = rest.get(step.used..).unwrap_or_default();
    }
    if is_last {
        reader.read(&[], now)?;
    }
    Ok(())
}
