import MartletModel

/// Runs a program over texts, with scratch memory that is kept between them.
///
/// Unsafe: texts are read within their bounds only.
struct RegexMatcher {
    let program: RegexProgram
    private var current: ThreadList
    private var next: ThreadList
    private let slotCount: Int
    /// The slots of the best match so far.
    private var best: [Int]
    private var stack: [Pending] = []

    /// Threads in order of preference, at most one per instruction.
    private struct ThreadList {
        var dense: [Int32] = []
        var sparse: [Int32]
        var slots: [Int]

        init(instructions: Int, slotCount: Int) {
            dense.reserveCapacity(instructions)
            sparse = [Int32](repeating: 0, count: instructions)
            slots = [Int](repeating: -1, count: instructions * slotCount)
        }

        @inline(__always)
        func contains(_ place: Int) -> Bool {
            let index = Int(sparse[place])
            return index < dense.count && dense[index] == place
        }
    }

    /// A matcher that keeps groups up to number `groups`; 0 keeps the whole match only.
    init(_ program: RegexProgram, groups: Int = 0) {
        self.program = program
        slotCount = 2 * (min(groups, program.groupCount) + 1)
        current = ThreadList(instructions: program.instructions.count, slotCount: slotCount)
        next = ThreadList(instructions: program.instructions.count, slotCount: slotCount)
        best = [Int](repeating: -1, count: slotCount)
    }

    /// Whether the pattern is found anywhere, or covers all of `text`.
    mutating func matches(_ text: UnsafeRawBufferPointer, whole: Bool = false) -> Bool {
        if let literal = program.literal {
            return literal.withUnsafeBytes { literal in
                whole ? ByteStringIndex.equal(text, literal) : TextKernels.find(literal, in: text) != nil
            }
        }
        return run(text, from: 0, whole: whole, anyMatch: true)
    }

    /// The first match at or after byte `start`, leftmost and by preference; read it with `range(of:)`.
    mutating func find(_ text: UnsafeRawBufferPointer, from start: Int) -> Range<Int>? {
        run(text, from: start, whole: false, anyMatch: false) ? best[0]..<best[1] : nil
    }

    /// Where a group matched in the last match found, if it took part.
    func range(of group: Int) -> Range<Int>? {
        guard 2 * group + 1 < slotCount, best[2 * group] >= 0, best[2 * group + 1] >= 0 else { return nil }
        return best[2 * group]..<best[2 * group + 1]
    }

    private mutating func run(
        _ text: UnsafeRawBufferPointer, from start: Int, whole: Bool, anyMatch: Bool
    ) -> Bool {
        current.dense.removeAll(keepingCapacity: true)
        next.dense.removeAll(keepingCapacity: true)
        var offset = start
        var found = false
        var scratch = [Int](repeating: -1, count: slotCount)
        while true {
            if current.dense.isEmpty, !found, !whole || offset == start {
                if program.isAnchored || whole {
                    if offset > 0 && program.isAnchored { return false }
                } else if !program.prefix.isEmpty {
                    // Nothing is under way: jump to where a match can begin.
                    let place = program.prefix.withUnsafeBytes { TextKernels.find($0, in: text, from: offset) }
                    guard let place else { return false }
                    offset = place
                }
            }
            if !found, !whole || offset == start {
                for slot in 0..<slotCount { scratch[slot] = -1 }
                Self.add(0, &current, offset, text, &scratch, program, slotCount, &stack)
            }
            if current.dense.isEmpty { return found }
            let isAtEnd = offset >= text.count
            var scalar: UInt32 = 0
            var width = 0
            if !isAtEnd { (scalar, width) = Self.decode(text, offset) }
            var index = 0
            threads: while index < current.dense.count {
                let place = Int(current.dense[index])
                switch program.instructions[place] {
                case .byte(let byte):
                    if !isAtEnd, scalar == UInt32(byte) { step(place, index, offset + width, text, &scratch) }
                case .set(let set):
                    if !isAtEnd, program.contains(set, scalar) { step(place, index, offset + width, text, &scratch) }
                case .match:
                    if whole, !isAtEnd { break }
                    found = true
                    if anyMatch { return true }
                    for slot in 0..<slotCount { best[slot] = current.slots[place * slotCount + slot] }
                    // Threads after this one are less preferred.
                    break threads
                case .split, .jump, .save, .assertion: break
                }
                index += 1
            }
            swap(&current, &next)
            next.dense.removeAll(keepingCapacity: true)
            if isAtEnd { return found }
            offset += width
        }
    }

    @inline(__always)
    private mutating func step(
        _ place: Int, _ index: Int, _ offset: Int, _ text: UnsafeRawBufferPointer, _ scratch: inout [Int]
    ) {
        for slot in 0..<slotCount { scratch[slot] = current.slots[place * slotCount + slot] }
        Self.add(place + 1, &next, offset, text, &scratch, program, slotCount, &stack)
    }

    /// Follows jumps, splits and assertions from `start` and adds the threads that wait for a character, the preferred
    /// first. Each instruction is entered once a position. The stack is explicit, so that a large program needs no deep
    /// call stack; an entry either goes on at a place or restores a slot.
    private static func add(
        _ start: Int, _ list: inout ThreadList, _ offset: Int, _ text: UnsafeRawBufferPointer, _ slots: inout [Int],
        _ program: RegexProgram, _ slotCount: Int, _ stack: inout [Pending]
    ) {
        stack.append(.place(start))
        while let pending = stack.popLast() {
            var place: Int
            switch pending {
            case .restore(let slot, let old):
                slots[slot] = old
                continue
            case .place(let next): place = next
            }
            follow: while !list.contains(place) {
                list.sparse[place] = Int32(truncatingIfNeeded: list.dense.count)
                list.dense.append(Int32(truncatingIfNeeded: place))
                switch program.instructions[place] {
                case .jump(let target): place = target
                case .split(let first, let second):
                    stack.append(.place(second))
                    place = first
                case .save(let slot):
                    if slot < slotCount {
                        stack.append(.restore(slot, slots[slot]))
                        slots[slot] = offset
                    }
                    place += 1
                case .assertion(let assertion):
                    if !holds(assertion, text, offset) { break follow }
                    place += 1
                case .byte, .set, .match:
                    for slot in 0..<slotCount { list.slots[place * slotCount + slot] = slots[slot] }
                    break follow
                }
            }
        }
    }

    private enum Pending {
        case place(Int)
        case restore(Int, Int)
    }

    private static func holds(_ assertion: RegexAssertion, _ text: UnsafeRawBufferPointer, _ offset: Int) -> Bool {
        switch assertion {
        case .textStart: return offset == 0
        case .textEnd: return offset == text.count
        case .lineStart: return offset == 0 || text[offset - 1] == 0x0a
        case .lineEnd: return offset == text.count || text[offset] == 0x0a
        case .wordBoundary, .noWordBoundary:
            let before = offset > 0 && isWord(text[offset - 1])
            let after = offset < text.count && isWord(text[offset])
            return (before != after) == (assertion == .wordBoundary)
        }
    }

    private static func isWord(_ byte: UInt8) -> Bool {
        TextKernels.isDigit(byte) || byte == 0x5f
            || (TextKernels.lowered(byte) >= 0x61 && TextKernels.lowered(byte) <= 0x7a)
    }

    /// The code point at `offset` and its length; a byte that is not UTF-8 counts as itself.
    @inline(__always)
    private static func decode(_ text: UnsafeRawBufferPointer, _ offset: Int) -> (UInt32, Int) {
        let first = UInt32(text[offset])
        if first < 0x80 { return (first, 1) }
        let length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1
        if length == 1 || offset + length > text.count { return (first, 1) }
        var value = first & (0x7f >> UInt32(length))
        for index in 1..<length { value = (value << 6) | (UInt32(text[offset + index]) & 0x3f) }
        return (value, length)
    }
}
