import Foundation
import MartletModel
import MartletTestSupport
import Testing

@testable import MartletQuery

@Suite struct RegexTests {
    private func find(_ pattern: String, _ text: String, _ flags: RegexFlags = RegexFlags()) throws(MartletError)
        -> [String?]
    {
        let program = try RegexProgram(pattern, flags: flags)
        var matcher = RegexMatcher(program, groups: 9)
        var text = text
        return text.withUTF8 { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            guard matcher.find(raw, from: 0) != nil else { return [] }
            return (0...program.groupCount).map { group in
                matcher.range(of: group).map { String(decoding: raw[$0], as: UTF8.self) }
            }
        }
    }

    @Test func `matches are leftmost, and alternatives are preferred in order`() throws {
        let cases: [(String, String, [String?])] = [
            ("l+", "hello", ["ll"]), ("a|ab", "ab", ["a"]), ("ab|a", "ab", ["ab"]), ("x*", "aaa", [""]),
            ("(a+)(b*)", "xaabb", ["aabb", "aa", "bb"]), ("o(b)?", "foo", ["o", nil]), ("a.c", "a\nc abc", ["abc"]),
            ("(?s)a.c", "a\nc", ["a\nc"]), ("^b", "a\nb", []), ("(?m)^b$", "a\nb", ["b"]),
            ("[^a-c]+", "abcxyz", ["xyz"]),
            ("\\d{2,3}", "a12345", ["123"]), ("\\d{2,3}?", "a12345", ["12"]), ("[[:alpha:]]+", "1abc2", ["abc"]),
            ("\\bfoo\\b", "a foo b", ["foo"]), ("(?i)STRASSE", "strasse", ["strasse"]), ("é+", "caféé", ["éé"]),
            ("[α-ω]+", "abc αβγ", ["αβγ"]), ("(?:ab)+", "ababa", ["abab"]), ("(?P<n>a)b", "ab", ["ab", "a"]),
            ("\\x41\\x{e9}", "Aé", ["Aé"]), ("\\Qa.b\\E", "a.b", ["a.b"]), ("a{,2}", "a{,2}", ["a{,2}"]),
            ("[]a]+", "]a]", ["]a]"]), ("(a*)*", "b", ["", ""]), ("(|a)+", "aaa", ["", ""]), ("$", "abc", [""]),
            ("(?i:a)b", "Ab", ["Ab"]), ("(?i:a)b", "AB", []), ("a\\z", "ba", ["a"]), ("[\\d-]+", "a1-2", ["1-2"]),
        ]
        for (pattern, text, expected) in cases {
            #expect(try find(pattern, text) == expected, "\(pattern) in \(text)")
        }
    }

    @Test func `wrong patterns are refused at their place`() {
        for pattern in [
            "(", ")", "a(b", "[a", "*a", "a**", "a{3,2}", "\\", "\\1", "(?=a)", "[b-a]", "a{1001}", "(?<n", "\\p{L}",
        ] {
            #expect(
                errorCode { () throws(MartletError) in try RegexProgram(pattern) } == .invalidArgument, "\(pattern)")
        }
        let huge = "((a{1000}){1000}){1000}"
        #expect(errorCode { () throws(MartletError) in try RegexProgram(huge) } == .resourceExhausted)
        let deep = String(repeating: "(", count: 1000) + String(repeating: ")", count: 1000)
        #expect(errorCode { () throws(MartletError) in try RegexProgram(deep) } == .invalidArgument)
    }

    @Test func `patterns that make other engines run for ages are linear`() throws {
        let text = String(repeating: "a", count: 5000)
        #expect(try find("(a+)+$b", text + "c") == [])
        #expect(try find("(a|a)*c", text) == [])
        #expect(try find("(?:a?){100}a{100}", text).count == 1)
    }

    @Test func `matches agree with Foundation's on random patterns`() throws {
        let pieces = [
            "a", "b", "c", ".", "[ab]", "[^a]", "(a|b)", "(ab)", "(?:b|ca)", "a*", "b+?", "c?", "(a*)b", "^", "$",
            "\\b",
        ]
        for seed in 0..<1500 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            var pattern = ""
            for _ in 0..<Int.random(in: 1...5, using: &generator) {
                pattern += pieces.randomElement(using: &generator)!
                if Int.random(in: 0..<6, using: &generator) == 0 { pattern += "|" }
            }
            let text = (0..<Int.random(in: 0..<9, using: &generator)).map { _ in
                "abc ".randomElement(using: &generator)!
            }
            let subject = String(text)
            let expression = try NSRegularExpression(pattern: pattern)
            let whole = NSRange(subject.startIndex..., in: subject)
            let expected = expression.firstMatch(in: subject, range: whole).map { match in
                (subject as NSString).substring(with: match.range)
            }
            let found = try find(pattern, subject)
            #expect(found.first ?? nil == expected, "seed \(seed): \(pattern) in '\(subject)'")
            var matcher = RegexMatcher(try RegexProgram(pattern))
            var copy = subject
            let isFound = copy.withUTF8 { matcher.matches(UnsafeRawBufferPointer($0)) }
            #expect(isFound == (expected != nil), "seed \(seed): \(pattern) in '\(subject)'")
        }
    }

    @Test func `no text makes the parser or the matcher fail`() {
        let alphabet = Array("ab()[]{}*+?|^$.\\-,:<>PQEisdwx01é\u{0}")
        var matched = 0
        for seed in 0..<4000 as Range<UInt64> {
            var generator = SeededGenerator(seed: seed)
            let pattern = String(
                (0..<Int.random(in: 0..<12, using: &generator)).map { _ in alphabet.randomElement(using: &generator)! })
            guard let program = try? RegexProgram(pattern) else { continue }
            var matcher = RegexMatcher(program, groups: 9)
            let bytes = (0..<20).map { _ in UInt8.random(in: 0...255, using: &generator) }
            bytes.withUnsafeBytes { text in
                var start = 0
                while start <= text.count, let range = matcher.find(text, from: start) {
                    matched += 1
                    start = max(range.upperBound, start + 1)
                }
            }
        }
        #expect(matched > 0)
    }

    @Test func `the SQL functions find, replace and extract`() throws {
        #expect(try call("regexp_matches", "hello", "l+") == .bool(true))
        #expect(try call("regexp_matches", "HELLO", "l+", "i") == .bool(true))
        #expect(try call("regexp_full_match", "abc", "a.*") == .bool(true))
        #expect(try call("regexp_full_match", "abc", "b") == .bool(false))
        #expect(try call("regexp_full_match", "ab", "a|ab") == .bool(true))
        #expect(try call("regexp_replace", "hello", "l", "x") == .string("hexlo"))
        #expect(try call("regexp_replace", "hello", "l", "x", "g") == .string("hexxo"))
        #expect(try call("regexp_replace", "hello", "(l+)", "<\\1\\1>") == .string("he<llll>o"))
        #expect(try call("regexp_replace", "héé", "x*", "-", "g") == .string("-h-é-é-"))
        #expect(try call("regexp_extract", "hello world", "(\\w+) (\\w+)", 2) == .string("world"))
        #expect(try call("regexp_extract", "abc", "x") == .string(""))
        #expect(try call("!~", "abc", "b") == .bool(false))
    }
}
