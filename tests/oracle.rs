use pgsquall::Experiment;

#[tokio::test(flavor = "multi_thread")]
async fn smoke() {
    let name = std::env::var("S").unwrap_or("connection-reset".into());
    let client = std::env::var("C").unwrap_or("reference".into());
    let begun = std::time::Instant::now();
    let run = Experiment::scenario(&name)
        .unwrap()
        .client_named(&client)
        .unwrap()
        .out("/tmp/out")
        .budget(std::time::Duration::from_secs(6))
        .run()
        .await
        .unwrap();
    println!("{run}{:?}", begun.elapsed());
}
