use super::*;

/// A node whose distance from the target 0 is `number`.
fn node(number: u8) -> NodeInfo {
    let mut id = [0; 20];
    id[19] = number;
    NodeInfo {
        id: id.into(),
        address: SocketAddr::from(([127, 0, 0, 1], 1000 + u16::from(number))),
    }
}

fn traversal(numbers: impl IntoIterator<Item = u8>) -> Traversal {
    let mut traversal = Traversal::new(Id::new([0; 20]));
    for number in numbers {
        traversal.add(node(number), 1, None);
    }
    traversal
}

fn asked(traversal: &mut Traversal) -> Vec<u8> {
    std::iter::from_fn(|| traversal.next())
        .filter_map(|(_, id)| id.map(|id| id.as_bytes()[19]))
        .collect()
}

#[test]
fn asks_the_nearest_and_no_more_than_it_needs() {
    let mut traversal = traversal((1..=20).rev());
    assert_eq!(asked(&mut traversal), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(traversal.in_flight(), 8);
    for number in 1..=7 {
        traversal.answered(node(number), None);
    }
    assert!(!traversal.is_converged());
    traversal.stalled(&node(8).address, Some(&node(8).id));
    assert_eq!(asked(&mut traversal), [9]);
    assert!(!traversal.is_settled());
    traversal.answered(node(9), None);
    assert!(traversal.is_settled());
    // The late one is taken in, and is one of the nearest after all.
    traversal.answered(node(8), None);
    assert!(
        traversal
            .closest()
            .map(|node| node.id.as_bytes()[19])
            .eq(1..=8)
    );
}

#[test]
fn one_that_stalls_is_replaced_at_once_and_waited_for_a_while() {
    let mut traversal = traversal(1..=12);
    asked(&mut traversal);
    for number in 2..=8 {
        traversal.answered(node(number), None);
    }
    traversal.stalled(&node(1).address, Some(&node(1).id));
    assert_eq!(asked(&mut traversal), [9]);
    traversal.answered(node(9), None);
    assert!(traversal.is_settled() && !traversal.is_converged());
    traversal.late(&node(1).address, Some(&node(1).id));
    assert!(traversal.is_converged());
}

#[test]
fn hops_are_counted_along_the_answers() {
    let mut traversal = traversal(20..=30);
    assert_eq!(traversal.hops(), 0);
    assert_eq!(traversal.answered(node(20), None), 1);
    traversal.add(node(1), 2, None);
    assert_eq!(traversal.answered(node(1), None), 2);
    // Who was known already is as near as he was.
    traversal.add(node(20), 3, None);
    traversal.add(node(2), 3, None);
    assert_eq!(
        traversal.hops(),
        2,
        "those that were not asked do not count"
    );
    assert_eq!(traversal.answered(node(2), None), 3);
    assert_eq!(traversal.hops(), 3);
}

#[test]
fn one_public_address_is_asked_once_whatever_its_ids() {
    let mut traversal = traversal([]);
    for number in 1..=5 {
        let address = SocketAddr::from(([8, 8, 8, 8], number.into()));
        traversal.add(
            NodeInfo {
                address,
                ..node(number)
            },
            1,
            None,
        );
    }
    assert_eq!(asked(&mut traversal), [1]);
    traversal.failed(&"8.8.8.8:1".parse().unwrap(), Some(&node(1).id));
    assert_eq!(asked(&mut traversal), []);
    assert!(traversal.is_converged());
}

#[test]
fn one_who_keeps_naming_dead_nodes_loses_his_say() {
    let mut traversal = traversal([200, 201]);
    let (liar, honest) = (node(200), node(201));
    asked(&mut traversal);
    traversal.answered(liar, None);
    traversal.answered(honest, None);
    for number in 1..=30 {
        traversal.add(node(number), 2, Some(liar.address));
    }
    traversal.add(node(100), 2, Some(honest.address));
    // Five are asked for nothing; then those that he alone names are left out.
    let mut dead = 0;
    while let Some((address, id)) = traversal.next() {
        if id != Some(node(100).id) {
            traversal.failed(&address, id.as_ref());
            dead += 1;
        }
    }
    assert_eq!(dead, 5);
    assert!(!traversal.is_converged(), "the other one's is waited for");
    traversal.answered(node(100), None);
    assert!(traversal.is_converged());
    // What somebody else confirms may be true.
    traversal.add(node(7), 2, Some(honest.address));
    assert_eq!(asked(&mut traversal), [7]);
}

#[test]
fn an_entrance_becomes_a_candidate_by_answering() {
    let mut traversal = traversal([]);
    traversal.add_entrance(node(5).address);
    assert_eq!(traversal.next(), Some((node(5).address, None)));
    assert!(!traversal.is_converged());
    traversal.add(node(5), 2, None);
    assert_eq!(traversal.next(), None);
    traversal.answered(node(5), None);
    assert!(traversal.is_converged());
    assert!(traversal.closest().eq([node(5)]));
}

#[test]
fn an_announce_goes_to_the_next_nearest_when_one_is_silent() {
    let mut traversal = traversal(1..=12);
    let token = Token::new(b"t");
    for number in 1..=12 {
        traversal.answered(node(number), token.clone());
    }
    let told: Vec<_> = std::iter::from_fn(|| traversal.next_announce())
        .map(|(node, _)| node)
        .collect();
    assert_eq!(told, (1..=8).map(node).collect::<Vec<_>>());
    told.iter()
        .skip(1)
        .for_each(|node| traversal.announce_acknowledged(node));
    assert!(!traversal.is_announced());
    traversal.announce_given_up(&node(1));
    assert_eq!(
        traversal.next_announce().map(|(node, _)| node),
        Some(node(9))
    );
    traversal.announce_acknowledged(&node(9));
    assert_eq!(traversal.next_announce(), None);
    assert!(traversal.is_announced());
}

#[test]
fn who_gives_no_token_is_one_of_the_nearest_and_somebody_else_is_told() {
    let mut traversal = traversal(1..=12);
    asked(&mut traversal);
    for number in 1..=8 {
        let token = Token::new(b"t").filter(|_| number > 2);
        traversal.answered(node(number), token);
    }
    assert!(traversal.is_converged());
    traversal.start_announcing();
    assert!(!traversal.is_settled());
    assert_eq!(asked(&mut traversal), [9, 10]);
    traversal.answered(node(9), Token::new(b"t"));
    traversal.answered(node(10), Token::new(b"t"));
    assert!(traversal.is_converged());
    let told = std::iter::from_fn(|| traversal.next_announce());
    assert!(told.map(|(node, _)| node).eq((3..=10).map(node)));
    let nearest = traversal.closest().map(|node| node.id.as_bytes()[19]);
    assert!(nearest.eq(1..=8));
}
