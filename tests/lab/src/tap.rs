//! What every peer received, connection by connection, so that a test can search it for secrets.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A peer keeps so many bytes of a connection; enough for any secret of a run.
const KEPT: usize = 1024 * 1024;

/// The book of the whole world.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Vec<(String, Record)>>>);

impl Ledger {
    /// A new conversation of a peer.
    pub fn open(&self, peer: &str) -> Record {
        let record = Record::default();
        lock(&self.0).push((peer.to_owned(), record.clone()));
        record
    }

    /// Every conversation: the peer's name and the bytes that it received, raw and decrypted.
    pub fn all(&self) -> Vec<(String, Vec<u8>)> {
        lock(&self.0).iter().map(|(peer, record)| (peer.clone(), lock(&record.0).clone())).collect()
    }
}

/// The bytes of one conversation.
#[derive(Clone, Default)]
pub struct Record(Arc<Mutex<Vec<u8>>>);

impl Record {
    pub fn add(&self, bytes: &[u8]) {
        let mut kept = lock(&self.0);
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A stream that keeps what is read from it.
pub struct Tap<S> {
    stream: S,
    record: Record,
}

impl<S> Tap<S> {
    pub fn new(stream: S, record: Record) -> Tap<S> {
        Tap { stream, record }
    }

    pub fn stream(&self) -> &S {
        &self.stream
    }

    pub fn record(&self) -> Record {
        self.record.clone()
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let result = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.record.add(&buffer.filled()[before..]);
        result
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
