import MartletModel
import Testing

@testable import MartletQuery

@Suite struct TextFunctionTests {
    private func text(_ name: String, _ a: Literal, _ rest: Literal...) throws(MartletError) -> String? {
        let value: FieldValue? =
            switch rest.count {
            case 0: try call(name, a)
            case 1: try call(name, a, rest[0])
            case 2: try call(name, a, rest[0], rest[1])
            default: try call(name, a, rest[0], rest[1], rest[2])
            }
        guard case .string(let text)? = value else { return nil }
        return text
    }

    @Test func `lengths count code points, strlen counts bytes`() throws {
        #expect(try call("length", "héllo") == .int64(5))
        #expect(try call("strlen", "héllo") == .int64(6))
        #expect(try call("unicode", "é") == .int64(233))
        #expect(try text("chr", 233) == "é")
    }

    @Test func `case changes code point by code point`() throws {
        #expect(try text("upper", "héllo") == "HÉLLO")
        #expect(try text("lower", "ÀB") == "àb")
        #expect(try text("reverse", "héllo") == "olléh")
    }

    @Test func `substrings follow DuckDB's rules for odd positions`() throws {
        #expect(try text("substr", "hello", 2) == "ello")
        #expect(try text("substr", "hello", 0) == "hello")
        #expect(try text("substr", "hello", -3, 2) == "ll")
        #expect(try text("substr", "hello", 2, 0) == "")
        #expect(try text("substr", "hello", 0, 3) == "he")
        #expect(try text("substr", "hello", 2, -1) == "h")
        #expect(try text("substr", "hello", -10, 7) == "he")
        #expect(try text("substr", "hé€lo", 2, 2) == "é€")
        #expect(try text("substr", "hello", .value(.int64(.max))) == "")
        #expect(try text("left", "hello", -2) == "hel")
        #expect(try text("right", "hello", -2) == "llo")
        #expect(try text("right", "hello", 2) == "lo")
        #expect(try text("left", "hi", 9) == "hi")
    }

    @Test func `trims take spaces or the given characters`() throws {
        #expect(try text("trim", "  a b ") == "a b")
        #expect(try text("trim", "xxaxx", "x") == "a")
        #expect(try text("ltrim", "xya", "xy") == "a")
        #expect(try text("rtrim", "a  ") == "a")
    }

    @Test func `padding repeats and cuts`() throws {
        #expect(try text("lpad", "abc", 6, "xy") == "xyxabc")
        #expect(try text("rpad", "abc", 2, "x") == "ab")
        #expect(errorCode { () throws(MartletError) in try text("lpad", "a", 3, "") } == .invalidArgument)
        #expect(try text("repeat", "ab", 2) == "abab")
        #expect(try text("repeat", "ab", -1) == "")
        #expect(
            errorCode { () throws(MartletError) in try text("repeat", "ab", 1_000_000_000_000) } == .resourceExhausted)
    }

    @Test func `parts are numbered from either end`() throws {
        #expect(try text("split_part", "a,b,c", ",", 2) == "b")
        #expect(try text("split_part", "a,b,c", ",", -1) == "c")
        #expect(try text("split_part", "a,b,c", ",", 5) == "")
        #expect(try text("split_part", "a,b,c", ",", 0) == "")
        #expect(try text("split_part", "a,b,c", ",", -4) == "")
    }

    @Test func `joining skips NULL in concat, not in the operator`() throws {
        #expect(try text("concat", "a", nil, "b") == "ab")
        #expect(try text("concat", 1, true, 2.5) == "1true2.5")
        #expect(try call("||", "a", nil) == nil)
        #expect(try text("||", "a", 1) == "a1")
        #expect(try text("concat_ws", ",", "a", nil, "b") == "a,b")
    }

    @Test func `searching finds places and tests`() throws {
        #expect(try call("strpos", "héllo", "l") == .int64(3))
        #expect(try call("strpos", "hello", "z") == .int64(0))
        #expect(try call("strpos", "hello", "") == .int64(1))
        #expect(try call("starts_with", "abc", "ab") == .bool(true))
        #expect(try call("ends_with", "abc", "bc") == .bool(true))
        #expect(try call("contains", "abc", "d") == .bool(false))
        #expect(try text("replace", "banana", "an", "x") == "bxxa")
        #expect(try text("replace", "banana", "", "x") == "banana")
        #expect(try text("translate", "abc", "ab", "x") == "xc")
        #expect(try call("levenshtein", "kitten", "sitting") == .int64(3))
    }

    @Test func `LIKE knows any text, one character and an escape`() throws {
        let cases: [(String, String, Bool)] = [
            ("abc", "a_c", true), ("a", "", false), ("", "%", true), ("abc", "%b%", true), ("abc", "b%", false),
            ("h€llo", "h_llo", true), ("aXbXc", "a%b%c", true), ("aaaa", "%a_a", true), ("ab", "a%%b", true),
            ("abc", "%c", true), ("abc", "abc", true), ("abcd", "abc", false), ("mississippi", "m%iss%ip%", true),
        ]
        for (value, pattern, expected) in cases {
            let result = try call("like", Literal(stringLiteral: value), Literal(stringLiteral: pattern))
            #expect(result == .bool(expected), "\(value) LIKE \(pattern)")
        }
        #expect(try call("like", "a_c", "a\\_c", "\\") == .bool(true))
        #expect(try call("like", "abc", "a\\_c", "\\") == .bool(false))
        #expect(try call("ilike", "ABC", "a%") == .bool(true))
        #expect(try call("not_like", "abc", "a%") == .bool(false))
        #expect(errorCode { () throws(MartletError) in try call("like", "a", "a\\", "\\") } == .invalidArgument)
    }
}
