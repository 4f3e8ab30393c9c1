import MartletModel

/// A compiled regular expression: a program for the virtual machine of Pike, as described by Cox, "Regular Expression
/// Matching: the Virtual Machine Approach" (2009). Matching takes time proportional to text times program, whatever the
/// pattern: no expression can hang a query.
struct RegexProgram: Sendable {
    enum Instruction: Sendable {
        /// One code point of set number `set`, then the next instruction.
        case set(Int)
        /// One given byte (ASCII), then the next instruction.
        case byte(UInt8)
        /// Goes on at both places, the first preferred.
        case split(Int, Int)
        case jump(Int)
        /// Keeps the position in a slot.
        case save(Int)
        case assertion(RegexAssertion)
        case match
    }

    private(set) var instructions: [Instruction] = []
    private(set) var sets: [ScalarSet] = []
    /// Membership of the 128 ASCII characters, two words a set.
    private(set) var asciiSets: [(UInt64, UInt64)] = []
    /// Capturing groups, without the whole match.
    let groupCount: Int
    /// The whole pattern when it is nothing but text.
    private(set) var literal: [UInt8]?
    /// Bytes that every match begins with, or that a match may begin with.
    private(set) var prefix: [UInt8] = []
    /// Whether a match can only begin at the start of the text.
    private(set) var isAnchored = false

    /// The most instructions of a program, which bounds memory and time.
    static let limit = 20_000

    /// - Throws: `.invalidArgument` naming the place in the pattern; `.resourceExhausted` for one that is too large.
    init(_ pattern: String, flags: RegexFlags = RegexFlags()) throws(MartletError) {
        guard pattern.utf8.count <= 64 << 10 else {
            throw MartletError(.resourceExhausted, "a regular expression is of at most 64 KiB")
        }
        var parser = RegexParser(pattern, flags: flags)
        let tree = try parser.parse()
        groupCount = parser.groupCount
        instructions.append(.save(0))
        try emit(tree)
        instructions.append(.save(1))
        instructions.append(.match)
        analyse(tree)
    }

    private mutating func append(_ instruction: Instruction) throws(MartletError) {
        guard instructions.count < Self.limit else {
            throw MartletError(
                .resourceExhausted, "the regular expression is too large",
                hint: "its repetitions expand to more than \(Self.limit) steps")
        }
        instructions.append(instruction)
    }

    private mutating func emit(_ node: RegexNode) throws(MartletError) {
        switch node {
        case .empty: break
        case .set(let set):
            if let single = set.single, single < 0x80 {
                try append(.byte(UInt8(single)))
            } else {
                try append(.set(number(of: set)))
            }
        case .sequence(let parts): for part in parts { try emit(part) }
        case .alternatives(let branches):
            var jumps: [Int] = []
            for (index, branch) in branches.enumerated() {
                if index == branches.count - 1 {
                    try emit(branch)
                    break
                }
                let split = instructions.count
                try append(.match)
                try emit(branch)
                jumps.append(instructions.count)
                try append(.match)
                instructions[split] = .split(split + 1, instructions.count)
            }
            for jump in jumps { instructions[jump] = .jump(instructions.count) }
        case .group(let inner, let index):
            if let index { try append(.save(2 * index)) }
            try emit(inner)
            if let index { try append(.save(2 * index + 1)) }
        case .assertion(let assertion): try append(.assertion(assertion))
        case .repetition(let inner, let least, let most, let isGreedy):
            if let most {
                for _ in 0..<least { try emit(inner) }
                var splits: [Int] = []
                for _ in least..<most {
                    splits.append(instructions.count)
                    try append(.match)
                    try emit(inner)
                }
                for split in splits { instructions[split] = branch(split + 1, instructions.count, isGreedy) }
                return
            }
            // `x*` is `(?:x+)?`, with the test after the body: an empty turn then leaves the loop in its own preference.
            let entry = least == 0 ? instructions.count : nil
            if entry != nil { try append(.match) }
            for _ in 1..<max(least, 1) { try emit(inner) }
            let body = instructions.count
            try emit(inner)
            try append(branch(body, instructions.count + 1, isGreedy))
            if let entry { instructions[entry] = branch(body, instructions.count, isGreedy) }
        }
    }

    private func branch(_ body: Int, _ after: Int, _ isGreedy: Bool) -> Instruction {
        isGreedy ? .split(body, after) : .split(after, body)
    }

    private mutating func number(of set: ScalarSet) -> Int {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for value in 0..<64 as Range<UInt32> {
            if set.contains(value) { low |= 1 << UInt64(value) }
            if set.contains(value + 64) { high |= 1 << UInt64(value) }
        }
        sets.append(set)
        asciiSets.append((low, high))
        return sets.count - 1
    }

    @inline(__always)
    func contains(_ set: Int, _ value: UInt32) -> Bool {
        if value < 64 { return asciiSets[set].0 & (1 << UInt64(value)) != 0 }
        if value < 128 { return asciiSets[set].1 & (1 << UInt64(value - 64)) != 0 }
        return sets[set].contains(value)
    }

    private mutating func analyse(_ tree: RegexNode) {
        var parts: [RegexNode] = [tree]
        if case .sequence(let sequence) = tree { parts = sequence }
        if case .assertion(.textStart)? = parts.first { isAnchored = true }
        var isWhole = true
        for part in parts {
            guard case .set(let set) = part, let single = set.single, let scalar = Unicode.Scalar(single) else {
                isWhole = false
                break
            }
            prefix += Array(UTF8.encode(scalar)!)
        }
        if case .empty = tree { prefix = [] } else if isWhole { literal = prefix }
    }
}
