//! Sends signed events to a runner.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::messages::sign;

/// Sends an event; whether it was acknowledged.
pub fn deliver(address: &str, id: &str, body: &str) -> bool {
    let at = chrono::Utc::now().timestamp();
    let signature = sign(id, at, body);
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let head = format!(
        "POST /hooks/forms HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Length: {}\r\nwebhook-id: {id}\r\nwebhook-timestamp: {at}\r\n\
         webhook-signature: {signature}\r\n\r\n{body}",
        body.len()
    );
    if stream.write_all(head.as_bytes()).is_err() {
        return false;
    }
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.starts_with("HTTP/1.1 202")
}
