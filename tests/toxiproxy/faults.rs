//! The effects of Toxiproxy's toxic types on connections.

use std::io::ErrorKind;

use super::*;

#[test]
fn reset_peer_is_an_rst() {
    let api = Api::new();
    let address = api.echo();
    let mut stream = connect(address);
    echo(&mut stream);
    api.toxic(json!({"type": "reset_peer"}));
    assert_eq!(end_of(&mut stream), Err(ErrorKind::ConnectionReset), "idle connections too");
    let new = TcpStream::connect(address).map_err(|error| error.kind());
    assert_eq!(new.and_then(|mut new| end_of(&mut new)), Err(ErrorKind::ConnectionReset), "and new ones");
}

#[test]
fn reset_peer_waits_for_its_time() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "reset_peer", "attributes": {"timeout": 200}}));
    let began = Instant::now();
    assert_eq!(end_of(&mut connect(address)), Err(ErrorKind::ConnectionReset));
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
}

#[test]
fn timeout_holds_and_closes() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "timeout", "attributes": {"timeout": 300}}));
    let mut stream = connect(address);
    let began = Instant::now();
    stream.write_all(b"word").unwrap();
    assert_eq!(end_of(&mut stream), Ok(()));
    assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
}

#[test]
fn timeout_without_a_time_holds_until_it_is_removed() {
    let api = Api::new();
    let mut stream = connect(api.echo());
    echo(&mut stream);
    api.toxic(json!({"type": "timeout", "attributes": {"timeout": 0}}));
    stream.write_all(b"late").unwrap();
    assert!(is_silent(&mut stream));
    assert_eq!(api.tap()["toxics"]["timeout_downstream"]["bytes"], 4);
    api.expect_no_content("DELETE", "/proxies/echo/toxics/timeout_downstream");
    let mut word = [0; 4];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"late", "what was held is delivered");
}

#[test]
fn bandwidth_is_in_thousands_of_bytes_a_second() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "bandwidth", "stream": "upstream", "attributes": {"rate": 100}}));
    let mut stream = connect(address);
    let began = Instant::now();
    stream.write_all(&[7; 50_000]).unwrap();
    let mut back = vec![0; 50_000];
    stream.read_exact(&mut back).unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(400) && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn limit_data_closes_after_so_many_bytes() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "limit_data", "attributes": {"bytes": 6}}));
    let mut stream = connect(address);
    stream.write_all(b"eight888").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert_eq!(all, b"eight8");
}

#[test]
fn slicer_and_slow_close() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "slicer", "attributes": {"average_size": 1, "delay": 100_000}}));
    let took = echo(&mut connect(address));
    assert!(took >= Duration::from_millis(300), "four pieces, a tenth of a second apart: {took:?}");
    api.expect_no_content("POST", "/reset");

    api.toxic(json!({"type": "slow_close", "stream": "upstream", "attributes": {"delay": 300}}));
    let mut stream = connect(address);
    echo(&mut stream);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let began = Instant::now();
    assert_eq!(end_of(&mut stream), Ok(()));
    assert!(began.elapsed() >= Duration::from_millis(250), "{:?}", began.elapsed());
}

#[test]
fn toxicity_touches_a_part_of_the_connections() {
    let api = Api::new();
    let address = api.echo();
    api.toxic(json!({"type": "reset_peer", "toxicity": 0.5}));
    let touched = (0..60)
        .filter(|_| {
            // The RST may arrive before `connect` returns.
            let talk = |mut stream: TcpStream| {
                stream.write_all(b"word")?;
                stream.read_exact(&mut [0; 4])
            };
            TcpStream::connect(address).and_then(talk).is_err()
        })
        .count();
    // The expected value is 30, the standard deviation 4: this allows six of them. The seed is fixed.
    assert!((6..54).contains(&touched), "{touched} of 60");
}
