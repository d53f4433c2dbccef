//! Changes configuration files of a running server.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::server::files::{read_hba, write_file, write_hba_and_reload};

#[tokio::test]
async fn write_file_keeps_text_and_is_private() {
    let Some(bench) = ServerBench::new().await else { return };
    let session = bench.server.superuser().connect().await.unwrap();
    let path = bench.data().join("it's a $file");
    for text in ["short\n", "a 'quote' \\ a\ttab\n\n\\.\nno end: ü", &"long ".repeat(20_000)] {
        write_file(&session, path.to_str().unwrap(), text).await.unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let error = write_file(&session, "/no/such/folder/file", "secret").await.unwrap_err().to_string();
    assert!(error.contains("/no/such/folder/file") && !error.contains("secret"), "{error}");
}

#[tokio::test]
async fn pg_hba_changes_are_in_force_and_bad_ones_refused() {
    let Some(bench) = ServerBench::new().await else { return };
    let superuser = bench.server.superuser();
    let before = read_hba(&superuser.connect().await.unwrap()).await.unwrap();
    let open = bench.client().await.unwrap();
    for _ in 0..10 {
        write_hba_and_reload(&superuser, &format!("host all {ROLE} all reject\n{before}")).await.unwrap();
        assert_eq!(bench.client().await.err().as_deref(), Some("28000"));
        write_hba_and_reload(&superuser, &before).await.unwrap();
        bench.client().await.unwrap();
    }
    assert_eq!(one(&open).await.unwrap(), 1, "an open session ended");
    let error = write_hba_and_reload(&superuser, &format!("host all all nonsense\n{before}")).await.unwrap_err();
    assert!(error.to_string().contains("line 1"), "{error}");
    assert_eq!(read_hba(&superuser.connect().await.unwrap()).await.unwrap(), before);
    bench.client().await.unwrap();
}
