//! The graph of components, as numbers: order, loops, reach. Pure.

/// Components with those that feed each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Graph(pub(crate) Vec<Vec<usize>>);

/// What came of ordering a graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Order {
    /// Producers before consumers, otherwise as written; loops left out, what hangs on them not.
    pub(crate) sorted: Vec<usize>,
    /// Loops that share no component, each in the direction of the tuples.
    pub(crate) loops: Vec<Vec<usize>>,
}

impl Graph {
    /// Orders the components, taking loops out as they are met.
    pub(crate) fn order(&self) -> Order {
        let count = self.0.len();
        let mut order = Order::default();
        let mut done = vec![false; count];
        loop {
            let ready = (0..count)
                .find(|&node| !done[node] && self.0[node].iter().all(|&producer| done[producer]));
            if let Some(node) = ready {
                done[node] = true;
                order.sorted.push(node);
            } else if let Some(start) = done.iter().position(|done| !done) {
                let found = self.loop_above(start, &done);
                for &node in &found {
                    done[node] = true;
                }
                order.loops.push(found);
            } else {
                return order;
            }
        }
    }

    /// A loop met on the way from `start` to its producers, each of which has an open producer too.
    fn loop_above(&self, start: usize, done: &[bool]) -> Vec<usize> {
        let mut path = vec![start];
        loop {
            let last = path[path.len() - 1];
            let producer = self.0[last].iter().copied().find(|&producer| !done[producer]);
            let producer =
                producer.expect("invariant: a component that is not ready waits for one");
            if let Some(at) = path.iter().position(|&node| node == producer) {
                let mut found = path.split_off(at);
                found.reverse();
                let first = (0..found.len()).min_by_key(|&at| found[at]);
                found.rotate_left(first.unwrap_or(0));
                return found;
            }
            path.push(producer);
        }
    }

    /// Which components are among `sources` or get something from them, directly or not.
    pub(crate) fn reached_from(&self, sources: impl IntoIterator<Item = usize>) -> Vec<bool> {
        let mut reached = vec![false; self.0.len()];
        for source in sources {
            reached[source] = true;
        }
        loop {
            let next = (0..self.0.len())
                .find(|&node| !reached[node] && self.0[node].iter().any(|&from| reached[from]));
            match next {
                Some(node) => reached[node] = true,
                None => return reached,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn producers_come_first_and_the_rest_stays_as_written() {
        let graph = Graph(vec![vec![], vec![3], vec![1], vec![0]]);
        let order = graph.order();
        assert_eq!(order.sorted, [0, 3, 1, 2]);
        assert_eq!(order.loops, [[0; 0]; 0]);
    }

    #[test]
    fn loops_are_named_in_the_direction_of_tuples() {
        // 0 → 1 → 2 → 3 → 1, 3 → 4, and 5 → 5
        let graph = Graph(vec![vec![], vec![0, 3], vec![1], vec![2], vec![3], vec![5]]);
        let order = graph.order();
        assert_eq!(order.loops, vec![vec![1, 2, 3], vec![5]]);
        assert_eq!(order.sorted, [0, 4]);
    }

    #[test]
    fn reach_follows_the_tuples() {
        let graph = Graph(vec![vec![], vec![0], vec![1], vec![], vec![3]]);
        assert_eq!(graph.reached_from([0]), [true, true, true, false, false]);
    }

    proptest! {
        #[test]
        fn every_component_is_sorted_or_in_one_loop(
            edges in proptest::collection::vec((0_usize..12, 0_usize..12), 0..40)
        ) {
            let mut graph = Graph(vec![Vec::new(); 12]);
            for (from, to) in edges {
                graph.0[to].push(from);
            }
            let order = graph.order();
            let mut all: Vec<usize> = order.sorted.clone();
            all.extend(order.loops.iter().flatten());
            all.sort_unstable();
            prop_assert_eq!(all, (0..12).collect::<Vec<_>>());
            for found in &order.loops {
                for (at, node) in found.iter().enumerate() {
                    let next = found[(at + 1) % found.len()];
                    prop_assert!(graph.0[next].contains(node));
                }
            }
        }
    }
}
