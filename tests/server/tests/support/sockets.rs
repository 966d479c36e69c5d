//! Sockets that misbehave, and a stand-in for kube-proxy. Everything stays on the loopback interface.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A service address as kube-proxy makes it: new connections go to the present backend, old ones stay where they are.
pub struct Balancer {
    pub address: SocketAddr,
    backend: Arc<Mutex<SocketAddr>>,
}

impl Balancer {
    pub fn to(backend: SocketAddr) -> Self {
        let backend = Arc::new(Mutex::new(backend));
        let present = Arc::clone(&backend);
        let address = serve_connections(move |client| {
            let backend = *present.lock().unwrap();
            // A backend that refuses shows as a closed connection, which the client counts as a failure.
            let Ok(server) = TcpStream::connect(backend) else {
                return;
            };
            for stream in [&client, &server] {
                stream.set_nodelay(true).unwrap();
            }
            let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || forward(&mut from_client, &mut to_server));
            forward(&mut &server, &mut &client);
        });
        Self { address, backend }
    }

    pub fn switch_to(&self, backend: SocketAddr) {
        *self.backend.lock().unwrap() = backend;
    }
}

fn forward(from: &mut impl Read, to: &mut (impl Write + Shut)) {
    // An error on either side ends the connection, as a packet filter would pass a reset on.
    let _ = std::io::copy(from, to);
    to.shut();
}

trait Shut {
    fn shut(&self);
}

impl Shut for TcpStream {
    fn shut(&self) {
        let _ = self.shutdown(std::net::Shutdown::Write);
    }
}

impl Shut for &TcpStream {
    fn shut(&self) {
        (*self).shut();
    }
}

/// A listener that treats each connection as told, in a thread of its own, until the test ends.
pub fn serve_connections(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let treat = Arc::new(treat);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let treat = Arc::clone(&treat);
            thread::spawn(move || treat(stream));
        }
    });
    address
}

/// A port on which nobody listens.
pub fn refusing_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A listener whose queue is full: the kernel drops further SYNs, which is what a policy that drops packets looks like.
pub struct Blackhole {
    pub address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Blackhole {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Listening again sets a new length of the queue.
        rustix::net::listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let attempts = std::iter::repeat_with(|| TcpStream::connect_timeout(&address, Duration::from_millis(100)));
        let queued = attempts.map_while(Result::ok).take(10).collect::<Vec<_>>();
        assert!(queued.len() < 10, "the queue does not fill");
        Self { address, _listener: listener, _queued: queued }
    }
}
