import MartletModel
import Synchronization

/// Decoded blocks and indexes of segment files, shared by all namespaces, bounded in bytes.
///
/// Eviction is CLOCK (Corbató 1969): an entry that was used since the hand last passed gets a second chance. The
/// memory counts against the engine's budget; when the budget refuses, the entry is simply not kept.
final class BlockCache: Sendable {
    private struct Key: Hashable {
        var file: UInt64
        var offset: Int64
    }

    /// What a segment file's bytes were decoded to.
    private enum Content {
        case column(Column)
        /// The row groups of a table. They hold the file, which is why a segment forgets them before it goes.
        case groups([RowGroup])
        /// The namespace's ids of the segment's series, by local number.
        case series([UInt32])
    }

    private struct Entry {
        var key: Key
        var content: Content
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
    /// The engine's whole memory.
    let budget: MemoryBudget
    private let state = Guarded(State())
    private let identities = Atomic<UInt64>(1)
    private let hitCount = Atomic<Int>(0)
    private let missCount = Atomic<Int>(0)

    init(limit: Int, budget: MemoryBudget) {
        self.limit = limit
        self.budget = budget
        budget.reclaim { [weak self] bytes in self?.giveUp(bytes) ?? false }
    }

    /// Drops blocks of so many bytes together, or all; says whether there were any.
    private func giveUp(_ bytes: Int) -> Bool {
        state.withLock { state in
            let before = state.bytes
            while before - state.bytes < bytes, evictOne(&state) {}
            return state.bytes < before
        }
    }

    var hits: Int { hitCount.load(ordering: .relaxed) }
    var misses: Int { missCount.load(ordering: .relaxed) }
    var byteCount: Int { state.withLock { $0.bytes } }

    func newIdentity() -> UInt64 { identities.wrappingAdd(1, ordering: .relaxed).oldValue }

    private func content(_ file: UInt64, _ offset: Int64) -> Content? {
        state.withLock { state in
            guard let index = state.index[Key(file: file, offset: offset)] else { return nil }
            state.entries[index].recentlyUsed = true
            return state.entries[index].content
        }
    }

    func find(_ file: UInt64, _ offset: Int64) -> Column? {
        guard case .column(let column) = content(file, offset) else {
            missCount.wrappingAdd(1, ordering: .relaxed)
            return nil
        }
        hitCount.wrappingAdd(1, ordering: .relaxed)
        return column
    }

    func findGroups(_ file: UInt64, _ offset: Int64) -> [RowGroup]? {
        if case .groups(let groups) = content(file, offset) { groups } else { nil }
    }

    func findSeries(_ file: UInt64, _ offset: Int64) -> [UInt32]? {
        if case .series(let series) = content(file, offset) { series } else { nil }
    }

    func insert(_ column: Column, _ file: UInt64, _ offset: Int64) {
        insert(.column(column), column.memoryFootprint, largest: limit / 4, file, offset)
    }

    func insert(_ groups: [RowGroup], _ file: UInt64, _ offset: Int64) {
        insert(.groups(groups), groups.reduce(0) { $0 + $1.memoryFootprint }, largest: limit, file, offset)
    }

    func insert(series: [UInt32], _ file: UInt64, _ offset: Int64) {
        insert(.series(series), series.count * 4, largest: limit, file, offset)
    }

    private func insert(_ content: Content, _ byteCount: Int, largest: Int, _ file: UInt64, _ offset: Int64) {
        let size = byteCount + Self.entryOverhead
        guard size <= largest else { return }
        let key = Key(file: file, offset: offset)
        state.withLock { state in
            guard state.index[key] == nil else { return }
            while state.bytes + size > limit, evictOne(&state) {}
            guard reserve(size, &state) else { return }
            state.index[key] = state.entries.count
            state.entries.append(Entry(key: key, content: content, byteCount: size, recentlyUsed: false))
            state.bytes += size
        }
    }

    /// Reserves memory for another use in the budget, giving blocks up where it does not fit; says whether it did.
    func reserveInBudget(_ size: Int) -> Bool { state.withLock { reserve(size, &$0) } }

    /// Takes note in the budget of memory that another use holds whatever the limit, giving blocks up where it does not
    /// fit.
    func holdInBudget(_ size: Int) { if !reserveInBudget(size) { budget.hold(size) } }

    /// Gives back what was reserved or held for another use.
    func releaseInBudget(_ size: Int) { budget.release(size) }

    private func reserve(_ size: Int, _ state: inout State) -> Bool {
        while !budget.tryReserveNow(size) {
            if !evictOne(&state) { return false }
        }
        return true
    }

    /// Drops everything that was read from a file. What is dropped may be the last to hold the file, whose end comes here
    /// again: it goes when the lock is free.
    func forget(_ file: UInt64) {
        let dropped = state.withLock { state -> [Content] in
            var dropped: [Content] = []
            var index = 0
            while index < state.entries.count {
                if state.entries[index].key.file == file {
                    dropped.append(state.entries[index].content)
                    remove(index, &state)
                } else {
                    index += 1
                }
            }
            return dropped
        }
        withExtendedLifetime(dropped) {}
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
