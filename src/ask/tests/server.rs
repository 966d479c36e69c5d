//! A server that answers as it is told to.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::ready;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::AbortOnDropHandle;

use super::super::lock;

/// A server that says this to everybody, and keeps what it was told.
pub struct Server {
    pub port: u16,
    told: Arc<Mutex<Vec<String>>>,
    /// Most that were under way at once.
    pub most: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Clone)]
pub enum Says {
    /// These bytes, and then the end.
    Bytes(Vec<u8>),
    /// These bytes, and then nothing, for ever.
    Hangs(&'static str),
    /// After so long, 200.
    Late(Duration),
}

pub fn status(line: &str) -> Says {
    Says::Bytes(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n").into_bytes())
}

impl Server {
    pub async fn start(says: Says) -> Self {
        Self::serve(says, None).await
    }

    pub async fn serve(says: Says, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (told, most, under_way) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let shared = (Arc::clone(&told), Arc::clone(&most));
        let task = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (says, tls, told, most, under_way) =
                    (says.clone(), tls.clone(), Arc::clone(&shared.0), Arc::clone(&shared.1), Arc::clone(&under_way));
                tokio::spawn(async move {
                    most.fetch_max(under_way.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    match tls {
                        None => answer(stream, says, &told).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                answer(stream, says, &told).await;
                            }
                        }
                    }
                    under_way.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { port, told, most, _task: AbortOnDropHandle::new(task) }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/gate?team=a", self.port)
    }

    pub fn told(&self) -> Vec<String> {
        lock(&self.told).clone()
    }
}

async fn read<S: AsyncRead + Unpin>(stream: &mut S, piece: &mut [u8]) -> io::Result<usize> {
    poll_fn(|context| {
        let mut buffer = ReadBuf::new(piece);
        ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
        Ok(buffer.filled().len()).into()
    })
    .await
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let count = poll_fn(|context| Pin::new(&mut *stream).poll_write(context, bytes)).await?;
        bytes = &bytes[count..];
    }
    poll_fn(|context| Pin::new(&mut *stream).poll_flush(context)).await
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, says: Says, told: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    // The body is the only thing with braces, and it ends with one.
    while !request.ends_with(b"}") {
        match read(&mut stream, &mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(count) => request.extend_from_slice(&piece[..count]),
        }
    }
    lock(told).push(String::from_utf8(request).unwrap());
    match says {
        Says::Bytes(bytes) => drop(write(&mut stream, &bytes).await),
        Says::Hangs(bytes) => {
            drop(write(&mut stream, bytes.as_bytes()).await);
            std::future::pending::<()>().await;
        }
        Says::Late(after) => {
            tokio::time::sleep(after).await;
            drop(write(&mut stream, b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await);
        }
    }
    drop(poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await);
}
