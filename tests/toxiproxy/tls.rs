//! TLS settings of the stand-alone proxy: with them it speaks TLS to the server, and it reports invalid files at its
//! start. `gateway/tests` tests TLS termination itself.

use std::fs;

use pgsquall::toxiproxy::{ProxyConfig, ServiceError, TlsFiles};

use super::*;

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// Writes a self-signed certificate and its key into a folder.
fn files(folder: &std::path::Path) -> TlsFiles {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let files = TlsFiles { certificate: folder.join("server.crt"), key: folder.join("server.key"), authority: None };
    fs::write(&files.certificate, certificate.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

fn start(tls: TlsFiles, proxies: Vec<ProxyConfig>) -> (Runtime, Result<Service, ServiceError>) {
    let runtime = Runtime::new().unwrap();
    let settings = Settings { api: None, proxies, tls: Some(tls), ..Settings::default() };
    let service = runtime.block_on(Service::start(settings));
    (runtime, service)
}

/// Accepts a connection, grants TLS, and returns the first bytes after that.
fn client_hello(server: &TcpListener) -> Vec<u8> {
    let (mut served, _) = server.accept().unwrap();
    served.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = [0; 8];
    served.read_exact(&mut request).unwrap();
    assert_eq!(request, SSL_REQUEST);
    served.write_all(b"S").unwrap();
    let mut header = [0; 5];
    served.read_exact(&mut header).unwrap();
    let mut record = vec![0; u16::from_be_bytes([header[3], header[4]]).into()];
    served.read_exact(&mut record).unwrap();
    [&header[..], &record].concat()
}

#[test]
fn proxy_requests_tls_from_the_server() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = ProxyConfig {
        name: "postgres".into(),
        listen: "127.0.0.1:0".into(),
        upstream: server.local_addr().unwrap().to_string(),
        enabled: true,
    };
    let folder = tempfile::tempdir().unwrap();
    let (runtime, service) = start(files(folder.path()), vec![config]);
    let service = service.unwrap();
    let address: SocketAddr = runtime.block_on(service.proxies())[0].listen.parse().unwrap();
    let mut client = connect(address);
    client.write_all(&SSL_REQUEST).unwrap();
    let hello = client_hello(&server);
    assert_eq!(hello[..2], [0x16, 3], "a TLS handshake record");
    drop(client);
    runtime.block_on(service.shutdown()).unwrap();
}

#[test]
fn certificate_must_name_the_host_of_a_changed_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path());
    let authority = Some(files.certificate.clone());
    let api = Api::with(Settings { tls: Some(TlsFiles { authority, ..files }), ..Settings::default() });
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (named, numeric) = (format!("localhost:{}", address.port()), address.to_string());
    let created = json!({"name": "echo", "listen": "127.0.0.1:0", "upstream": numeric});
    let proxy = address_of(&api.request("POST", "/proxies", created, 201));
    let names_host = |hello: Vec<u8>| hello.windows(9).any(|bytes| bytes == b"localhost");
    let mut client = connect(proxy);
    client.write_all(&SSL_REQUEST).unwrap();
    assert!(!names_host(client_hello(&server)), "an address is no server name");
    api.request("POST", "/proxies/echo", json!({"upstream": named}), 200);
    let mut client = connect(proxy);
    client.write_all(&SSL_REQUEST).unwrap();
    assert!(names_host(client_hello(&server)), "the new host is the server name");
}

#[test]
fn invalid_files_are_reported_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let good = files(folder.path());
    let refused = |files: TlsFiles| start(files, Vec::new()).1.err().unwrap().to_string();
    let missing = TlsFiles { key: folder.path().join("none.key"), ..good.clone() };
    assert!(refused(missing).contains("none.key"));
    let swapped = TlsFiles { certificate: good.key.clone(), key: good.certificate.clone(), authority: None };
    let error = refused(swapped);
    assert!(error.contains("the certificate") && error.contains("PEM"), "{error}");
    let authority = Some(good.key.clone());
    let error = refused(TlsFiles { authority, ..good });
    assert!(error.contains("the authority") && error.contains("PEM"), "{error}");
}
