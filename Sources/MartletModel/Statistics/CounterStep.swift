/// The one rule by which counters are read: one that falls was reset and counts from 0, as in Prometheus.
package enum CounterStep {
    /// How much a counter grew from one value to the next.
    @inlinable package static func growth(from before: Double, to value: Double) -> Double {
        value < before ? value : value - before
    }
}
