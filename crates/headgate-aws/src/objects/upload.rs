//! Uploads in parts: an object of any size, of which no more than a part is held.
//!
//! Promises that nobody sees anything of the object before it is complete. Whoever begins an upload
//! completes or abandons it; what is cut off goes by the bucket's own rule.

use std::fmt::Write as _;

use super::{Bucket, Request, code};
use crate::AwsError;

/// What a part holds, but for the last one: S3 takes 5 MiB at least, and 10,000 of them.
pub const PART: usize = 8 << 20;

/// An upload that has begun.
pub struct Upload<'a> {
    bucket: &'a Bucket,
    key: &'a str,
    id: String,
    /// The tag of each part so far.
    tags: Vec<String>,
}

impl Bucket {
    /// Begins an upload of an object in parts.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not begin one.
    pub async fn upload<'a>(&'a self, key: &'a str) -> Result<Upload<'a>, AwsError> {
        const CALL: &str = "CreateMultipartUpload";
        let mut request = Request::new("POST", key, Vec::new());
        request.query = String::from("uploads");
        let answer = self.call.invoke(request).await;
        let answer = answer.map_err(|e| AwsError::of(CALL, &e))?;
        let text = String::from_utf8_lossy(&answer.bytes);
        let id = text
            .split_once("<UploadId>")
            .and_then(|(_, rest)| rest.split_once("</UploadId>"));
        let (id, _) = id.ok_or_else(|| AwsError::new(CALL, "an answer without an id"))?;
        Ok(Upload {
            bucket: self,
            key,
            id: id.to_owned(),
            tags: Vec::new(),
        })
    }
}

impl Upload<'_> {
    /// Puts the next part, of [`PART`] bytes unless it is the last.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not confirm it; the upload is to be abandoned then.
    pub async fn put(&mut self, part: Vec<u8>) -> Result<(), AwsError> {
        const CALL: &str = "UploadPart";
        let number = self.tags.len().saturating_add(1);
        let mut request = Request::new("PUT", self.key, part);
        request.query = format!("partNumber={number}&uploadId={}", self.id);
        let answer = self.bucket.call.invoke(request).await;
        let answer = answer.map_err(|e| AwsError::of(CALL, &e))?;
        let tag = answer.tag;
        self.tags
            .push(tag.ok_or_else(|| AwsError::new(CALL, "an answer without a tag"))?);
        Ok(())
    }

    /// Makes the object of the parts; returning means that S3 has it.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not confirm it.
    pub async fn complete(self) -> Result<(), AwsError> {
        const CALL: &str = "CompleteMultipartUpload";
        let mut parts = String::from("<CompleteMultipartUpload>");
        for (number, tag) in (1_u32..).zip(&self.tags) {
            let tag = tag.replace('"', "&quot;");
            // Writing to a text does not fail.
            write!(
                parts,
                "<Part><PartNumber>{number}</PartNumber><ETag>{tag}</ETag></Part>"
            )
            .unwrap_or_default();
        }
        parts.push_str("</CompleteMultipartUpload>");
        let mut request = Request::new("POST", self.key, parts.into_bytes());
        request.query = format!("uploadId={}", self.id);
        let answer = self.bucket.call.invoke(request).await;
        let answer = answer.map_err(|e| AwsError::of(CALL, &e))?;
        // S3 says 200 before it has put the parts together, and may have to say an error behind it.
        if answer.bytes.windows(7).any(|tag| tag == b"<Error>") {
            return Err(AwsError::new(CALL, &code(&answer.bytes)));
        }
        Ok(())
    }

    /// Deletes the parts.
    ///
    /// # Errors
    /// [`AwsError`] when S3 did not confirm it.
    pub async fn abandon(self) -> Result<(), AwsError> {
        let mut request = Request::new("DELETE", self.key, Vec::new());
        request.query = format!("uploadId={}", self.id);
        let answer = self.bucket.call.invoke(request).await;
        answer
            .map(drop)
            .map_err(|e| AwsError::of("AbortMultipartUpload", &e))
    }
}
