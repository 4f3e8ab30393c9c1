import MartletModel
import Synchronization

/// Decoded blocks of segment files, shared by all namespaces, bounded in bytes.
///
/// Eviction is CLOCK (Corbató 1969): a block that was used since the hand last passed gets a second chance. The
/// memory counts against the engine's budget; when the budget refuses, the block is simply not kept.
final class BlockCache: Sendable {
    private struct Key: Hashable {
        var file: UInt64
        var offset: Int64
    }

    private struct Entry {
        var key: Key
        var column: Column
        var byteCount: Int
        var recentlyUsed: Bool
    }

    private struct State {
        var index: [Key: Int] = [:]
        var entries: [Entry] = []
        var hand = 0
        var bytes = 0
    }

    /// Bytes that an entry costs beside its values.
    private static let entryOverhead = 256

    /// The most bytes that are kept.
    let limit: Int
    private let budget: MemoryBudget
    private let state = Guarded(State())
    private let identities = Atomic<UInt64>(1)
    private let hitCount = Atomic<Int>(0)
    private let missCount = Atomic<Int>(0)

    init(limit: Int, budget: MemoryBudget) {
        self.limit = limit
        self.budget = budget
    }

    var hits: Int { hitCount.load(ordering: .relaxed) }
    var misses: Int { missCount.load(ordering: .relaxed) }
    var byteCount: Int { state.withLock { $0.bytes } }

    func newIdentity() -> UInt64 { identities.wrappingAdd(1, ordering: .relaxed).oldValue }

    func find(_ file: UInt64, _ offset: Int64) -> Column? {
        let found = state.withLock { state -> Column? in
            guard let index = state.index[Key(file: file, offset: offset)] else { return nil }
            state.entries[index].recentlyUsed = true
            return state.entries[index].column
        }
        if found == nil {
            missCount.wrappingAdd(1, ordering: .relaxed)
        } else {
            hitCount.wrappingAdd(1, ordering: .relaxed)
        }
        return found
    }

    func insert(_ column: Column, _ file: UInt64, _ offset: Int64) {
        let size = column.memoryFootprint + Self.entryOverhead
        guard size <= limit / 4 else { return }
        let key = Key(file: file, offset: offset)
        state.withLock { state in
            guard state.index[key] == nil else { return }
            while state.bytes + size > limit, evictOne(&state) {}
            guard reserve(size, &state) else { return }
            state.index[key] = state.entries.count
            state.entries.append(Entry(key: key, column: column, byteCount: size, recentlyUsed: false))
            state.bytes += size
        }
    }

    /// Reserves memory for another use in the budget, giving blocks up where it does not fit; says whether it did.
    func reserveInBudget(_ size: Int) -> Bool { state.withLock { reserve(size, &$0) } }

    private func reserve(_ size: Int, _ state: inout State) -> Bool {
        while !budget.tryReserve(size) {
            if !evictOne(&state) { return false }
        }
        return true
    }

    /// Drops all blocks of a file.
    func forget(_ file: UInt64) {
        state.withLock { state in
            var index = 0
            while index < state.entries.count {
                if state.entries[index].key.file == file { remove(index, &state) } else { index += 1 }
            }
        }
    }

    /// Drops everything.
    func removeAll() {
        state.withLock { state in while evictOne(&state) {} }
    }

    private func evictOne(_ state: inout State) -> Bool {
        guard !state.entries.isEmpty else { return false }
        while true {
            if state.hand >= state.entries.count { state.hand = 0 }
            if !state.entries[state.hand].recentlyUsed {
                remove(state.hand, &state)
                return true
            }
            state.entries[state.hand].recentlyUsed = false
            state.hand += 1
        }
    }

    private func remove(_ index: Int, _ state: inout State) {
        let entry = state.entries[index]
        state.index[entry.key] = nil
        state.bytes -= entry.byteCount
        budget.release(entry.byteCount)
        let last = state.entries.removeLast()
        if index < state.entries.count {
            state.entries[index] = last
            state.index[last.key] = index
        }
    }
}
