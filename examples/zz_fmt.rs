fn main() {
    for p in std::env::args().skip(1) {
        let t = std::fs::read_to_string(&p).unwrap();
        match syncline::syntax::print::format(&p, &t) {
            Ok(syncline::syntax::print::Formatted::Text(o)) => print!("{o}"),
            e => println!("{e:?}"),
        }
    }
}
