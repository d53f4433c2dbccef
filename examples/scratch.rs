fn main() {
    let a: Vec<String> = std::env::args().collect();
    pgsquall::scratch(a[1].parse().unwrap(), a[2].parse().unwrap())
}
