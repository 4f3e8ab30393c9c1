import MartletModel
import Testing

@testable import MartletQuery

@Suite struct MathFunctionTests {
    @Test func `rounding goes away from zero at the half and takes digits on either side of the point`() throws {
        #expect(try call("round", 2.5) == .float64(3))
        #expect(try call("round", -2.5) == .float64(-3))
        #expect(try call("round", 2.675, 2) == .float64(2.67))
        #expect(try call("round", -1234.567, -2) == .float64(-1200))
        #expect(try call("round", 1555, -2) == .int64(1600))
        #expect(try call("round", 5, 1) == .int64(5))
        #expect(try call("round", 1e300, 2) == .float64(1e300))
        #expect(try call("round", .value(.float64(.infinity)), -1) == .float64(.infinity))
        #expect(try call("round", 7) == .int64(7))
        #expect(try call("trunc", -2.7) == .float64(-2))
        #expect(try call("ceil", -2.5) == .float64(-2))
        #expect(try call("floor", 3) == .float64(3))
    }

    @Test func `functions outside their domain give NaN and infinities`() throws {
        for (name, argument) in [("sqrt", -1.0), ("ln", -1), ("acos", 2)] {
            guard case .float64(let value)? = try call(name, Literal(floatLiteral: argument)) else {
                Issue.record("\(name) is no float")
                continue
            }
            #expect(value.isNaN, "\(name)")
        }
        #expect(try call("log", 0) == .float64(-.infinity))
        #expect(try call("pow", 0, -1) == .float64(.infinity))
    }

    @Test func `logarithms have a base`() throws {
        #expect(try call("log", 100) == .float64(2))
        #expect(close(try call("log", 2, 8), .float64(3)))
        #expect(try call("log2", 8) == .float64(3))
        #expect(close(try call("ln", 2.718281828459045), .float64(1)))
    }

    @Test func `integers keep their type where the result is one`() throws {
        #expect(try call("abs", -5) == .int64(5))
        #expect(try call("abs", -5.5) == .float64(5.5))
        #expect(errorCode { () throws(MartletError) in try call("abs", .value(.int64(.min))) } == .outOfRange)
        #expect(try call("sign", -0.5) == .int64(-1))
        #expect(try call("mod", -7, 3) == .int64(-1))
        #expect(try call("mod", 7, 0) == nil)
        #expect(try call("gcd", 12, -18) == .int64(6))
        #expect(try call("lcm", 4, 6) == .int64(12))
    }

    @Test func `greatest and least leave NULL out and treat NaN as the greatest`() throws {
        #expect(try call("greatest", 1, nil, 3) == .int64(3))
        #expect(try call("least", nil, 2.5, 3) == .float64(2.5))
        #expect(try call("least", .value(.float64(.nan)), 1.0) == .float64(1))
        #expect(try call("greatest", "a", "b") == .string("b"))
        #expect(try call("greatest", nil, nil) == nil)
    }

    @Test func `bits of integers`() throws {
        #expect(try call("&", 5, 3) == .int64(1))
        #expect(try call("|", 5, 3) == .int64(7))
        #expect(try call("xor", 5, 3) == .int64(6))
        #expect(try call("~", 5) == .int64(-6))
        #expect(try call(">>", -8, 1) == .int64(-4))
        #expect(try call(">>", 8, 64) == .int64(0))
        #expect(try call("<<", 1, 3) == .int64(8))
        #expect(errorCode { () throws(MartletError) in try call("<<", 1, 64) } == .outOfRange)
        #expect(try call("bit_count", 5) == .int64(2))
    }

    @Test func `tests of floats`() throws {
        #expect(try call("isnan", .value(.float64(.nan))) == .bool(true))
        #expect(try call("isinf", 1.0) == .bool(false))
        #expect(try call("isfinite", 1) == .bool(true))
    }

    @Test func `conditionals`() throws {
        #expect(try call("coalesce", nil, 1, 2) == .int64(1))
        #expect(try call("coalesce", nil, 1, 2.5) == .float64(1))
        #expect(try call("nullif", 1, 1) == nil)
        #expect(try call("nullif", 1, 2) == .int64(1))
        #expect(try call("nullif", 1, nil) == .int64(1))
        #expect(try call("if", true, "a", "b") == .string("a"))
        #expect(try call("if", nil, "a", "b") == .string("b"))
        #expect(try call("typeof", 1.5) == .string("DOUBLE"))
    }

    @Test func `NULL in gives NULL out, and wrong arguments are told the form`() throws {
        #expect(try call("sqrt", nil) == nil)
        #expect(try call("round", nil, 2) == nil)
        do {
            _ = try call("sqrt", "x")
            Issue.record("no error")
        } catch {
            #expect(error.code == .semantic)
            #expect(error.hint == "the form is sqrt(number)")
        }
        #expect(errorCode { () throws(MartletError) in try call("sqrt", 1, 2) } == .semantic)
    }
}
