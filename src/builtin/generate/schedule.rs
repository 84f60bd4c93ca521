//! When each message of a steady rate is due. Pure: it counts from the schedule's start, so
//! nothing drifts and what is late is still due.

/// Messages per second, in millionths; times are nanoseconds since the schedule's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    micro_rate: u64,
}

const MICRO_NANOS: u128 = 1_000_000_000_000_000;

impl Schedule {
    /// A schedule of `rate` messages per second; none where that is less than a millionth, or
    /// more than 10^12.
    pub(super) fn new(rate: f64) -> Option<Self> {
        let micro_rate = rate * 1e6;
        (1.0..=1e18).contains(&micro_rate).then_some(Self { micro_rate: micro_rate as u64 })
    }

    /// When message `number` is due.
    pub(super) fn due_at(self, number: u64) -> u64 {
        let nanos = (u128::from(number) * MICRO_NANOS).div_ceil(u128::from(self.micro_rate));
        u64::try_from(nanos).unwrap_or(u64::MAX)
    }

    /// How many messages are due at `elapsed`: the first at once.
    pub(super) fn due_by(self, elapsed: u64) -> u64 {
        let count = u128::from(elapsed) * u128::from(self.micro_rate) / MICRO_NANOS + 1;
        u64::try_from(count).unwrap_or(u64::MAX)
    }
}

/// How many of the numbers below `total` a task gets.
pub(super) fn share(total: u64, task_index: u64, task_count: u64) -> u64 {
    (total.saturating_sub(task_index)).div_ceil(task_count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_million_a_second_is_one_a_microsecond() {
        let schedule = Schedule::new(1e6).unwrap();
        assert_eq!(schedule.due_at(0), 0);
        assert_eq!(schedule.due_at(3), 3_000);
        assert_eq!(schedule.due_by(2_999), 3);
        assert_eq!(Schedule::new(0.0), None);
        assert_eq!(Schedule::new(f64::NAN), None);
    }

    proptest! {
        #[test]
        fn a_message_is_due_exactly_from_its_time_on(
            rate in 0.001f64..1e9,
            number in 0u64..1_000_000_000,
        ) {
            let schedule = Schedule::new(rate).unwrap();
            let at = schedule.due_at(number);
            prop_assert!(schedule.due_by(at) > number);
            prop_assert!(at == 0 || schedule.due_by(at - 1) <= number);
        }

        #[test]
        fn shares_add_up(total in 0u64..1000, tasks in 1u64..20) {
            let sum: u64 = (0..tasks).map(|task| share(total, task, tasks)).sum();
            prop_assert_eq!(sum, total);
        }
    }
}
