//! A connection that says at once what it got: [`Prompt`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits::PROMPT_READS;

/// A connection whose first bytes are acknowledged as soon as they are read.
///
/// sshd says after the login which keys its host has, and its next answer waits until that was acknowledged (Nagle's algorithm, RFC
/// 896, which it turns off when a program is started). A kernel that has nothing to send acknowledges 40 ms later (RFC 1122, section
/// 4.2.3.2), and so every first session would wait for that.
pub(crate) struct Prompt {
    socket: TcpStream,
    left: u32,
}

impl Prompt {
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self { socket, left: PROMPT_READS }
    }
}

impl AsyncRead for Prompt {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if self.left > 0 && matches!(read, Poll::Ready(Ok(()))) {
            self.left -= 1;
            // Linux only, and forgotten by it whenever something is sent; elsewhere it takes its time
            #[cfg(target_os = "linux")]
            let _refused = self.socket.set_quickack(true);
        }
        read
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn what_is_read_is_acknowledged_at_once_whatever_was_sent_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let ours = TcpStream::connect(listener.local_addr().expect("an address")).await.expect("connected");
        let (mut theirs, _) = listener.accept().await.expect("accepted");
        let mut ours = Prompt::new(ours);
        let mut byte = [0];
        // who answers at once is taken by the kernel for somebody whose answers acknowledge
        for _ in 0..8 {
            theirs.write_all(&[1]).await.expect("written");
            ours.read_exact(&mut byte).await.expect("read");
            ours.write_all(&[2]).await.expect("written");
            theirs.read_exact(&mut byte).await.expect("read");
        }
        assert!(!ours.socket.quickack().expect("known"), "it waits for an answer to acknowledge with");
        theirs.write_all(&[1]).await.expect("written");
        ours.read_exact(&mut byte).await.expect("read");
        assert!(ours.socket.quickack().expect("known"));
        assert_eq!(ours.left, PROMPT_READS - 9);
    }
}
