//! How the system treats accepted connections: one whose other end is gone without a word is found out, and ends.

use rustix::net::sockopt;
use tokio::net::TcpStream;

use crate::limits;

/// Sets a connection up.
pub(crate) fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    // answers are small and whole: they are not held back to be joined with more
    stream.set_nodelay(true)?;
    // one that is silent is asked whether it is there
    sockopt::set_tcp_keepidle(stream, limits::SILENT_TIME_MAX)?;
    sockopt::set_tcp_keepintvl(stream, limits::PROBE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(stream, limits::PROBES_MAX)?;
    sockopt::set_socket_keepalive(stream, true)?;
    // one that is sent to has to say that it got it (tcp(7), TCP_USER_TIMEOUT); else the system tries for a quarter of an hour
    let millis = u32::try_from(limits::UNHEARD_TIME_MAX.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, millis)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_asked_whether_its_other_end_is_there() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        prepare(&stream).unwrap();
        assert!(stream.nodelay().unwrap() && sockopt::socket_keepalive(&stream).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&stream).unwrap(), limits::SILENT_TIME_MAX);
        assert_eq!(sockopt::tcp_keepintvl(&stream).unwrap(), limits::PROBE_INTERVAL);
        assert_eq!(sockopt::tcp_keepcnt(&stream).unwrap(), limits::PROBES_MAX);
        let millis = u128::from(sockopt::tcp_user_timeout(&stream).unwrap());
        assert_eq!(millis, limits::UNHEARD_TIME_MAX.as_millis());
    }
}
