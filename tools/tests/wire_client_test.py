"""Tests of martlet_client against the golden frames and the daemon on the port given as the last argument."""

import glob
import os
import sys
import unittest

import martlet_client as wire

PORT = int(sys.argv.pop())
GOLDEN = os.path.join("Tests", "MartletWireTests", "Golden")
SECOND = 1000000000


def golden(name):
    with open(os.path.join(GOLDEN, name + ".hex")) as file:
        return bytes.fromhex(file.read().replace("\n", " "))


class GoldenFrames(unittest.TestCase):
    def test_checksum_is_that_of_rfc_3720(self):
        self.assertEqual(wire.crc32c(b"123456789"), 0xE3069283)

    def test_every_frame_has_the_same_bytes(self):
        files = glob.glob(os.path.join(GOLDEN, "*.hex"))
        self.assertGreaterEqual(len(files), 15)
        for file in files:
            frame = golden(os.path.basename(file)[:-4])
            length, frame_type, request_id, crc = wire.decode_header(frame[:24])
            body = frame[24:24 + length]
            self.assertEqual(wire.crc32c(body), crc, file)
            self.assertEqual(wire.encode_frame(frame_type, request_id, body), frame, file)

    def test_rows_hold_every_type(self):
        frame = golden("rows")
        batch = wire.decode_batch(wire._Reader(memoryview(frame)[24:]))
        self.assertEqual(batch.names, ["time", "host", "usage", "count", "total", "up", "note", "span"])
        self.assertEqual(list(batch.rows())[0], (0, "s\u00fcd", 1.5, -2**63, None, True, "", (1, -2, 3)))

    def test_batches_come_back_from_their_bytes(self):
        columns = [("time", wire.TIMESTAMP, wire.TIME_ROLE, [1, 2, 3]),
                   ("host", wire.STRING, wire.TAG_ROLE, ["a", None, "\u65e5\u672c"]),
                   ("f", wire.FLOAT64, wire.FIELD_ROLE, [1.5, None, -0.0]),
                   ("b", wire.BOOL, wire.FIELD_ROLE, [True, None, False]),
                   ("s", wire.STRING, wire.FIELD_ROLE, ["", "x", None])]
        batch = wire.decode_batch(wire._Reader(memoryview(wire.encode_batch(columns))))
        self.assertEqual(batch.columns, [values for _, _, _, values in columns])


class Daemon(unittest.TestCase):
    def setUp(self):
        self.client = wire.Client(port=PORT)

    def tearDown(self):
        self.client.close()

    def test_ping(self):
        self.assertLess(self.client.ping(), 5)

    def test_what_is_appended_is_found(self):
        count = 3000
        table = wire.Table("cpu", [i * SECOND for i in range(count)],
                           {"host": ["h%d" % (i % 3) for i in range(count)]},
                           {"usage": [i / 4 for i in range(count)], "n": list(range(count)),
                            "note": [None if i % 2 else "even" for i in range(count)]})
        receipt = self.client.append([table], durable=True)
        self.assertEqual((receipt.accepted, receipt.rejected, receipt.durable), (count, 0, True))
        names, rows = self.client.execute("SELECT host, count(*), sum(n), count(note) FROM cpu GROUP BY host ORDER BY host")
        self.assertEqual(names[0], "host")
        self.assertEqual(rows, [("h%d" % h, 1000, sum(range(h, count, 3)), 500) for h in range(3)])
        _, rows = self.client.execute("SELECT time, usage FROM cpu ORDER BY time")
        self.assertEqual(rows, [(i * SECOND, i / 4) for i in range(count)])

    def test_a_row_of_the_wrong_type_is_refused_alone(self):
        self.client.append([wire.Table("typed", [1], {}, {"v": [1.5]})])
        receipt = self.client.append([wire.Table("typed", [2], {}, {"v": ["text"]}), wire.Table("other", [2], {}, {"v": [1]})])
        self.assertEqual((receipt.accepted, receipt.rejected), (1, 1))
        table, row, error = receipt.rejections[0]
        self.assertEqual((table, row, error.code), (0, 0, 3))

    def test_errors_have_a_place(self):
        with self.assertRaises(wire.MartletError) as caught:
            self.client.execute("SELECT nothing FROM nowhere")
        self.assertIn(caught.exception.code, (7, 8))
        with self.assertRaises(wire.MartletError) as caught:
            self.client.execute("SELECT\n  FROM FROM")
        self.assertEqual(caught.exception.code, 6)
        self.assertEqual(caught.exception.place[0], "statement")
        self.assertGreater(self.client.ping(), 0)

    def test_a_result_that_is_given_up_leaves_the_connection_usable(self):
        count = 60000
        self.client.append([wire.Table("many", list(range(count)), {}, {"v": list(range(count))})])
        batches = self.client.query("SELECT * FROM many", credit=1)
        next(batches)
        next(batches)
        batches.close()
        self.assertEqual(self.client.execute("SELECT count(*) FROM many")[1], [(count,)])

    def test_limits_hold(self):
        self.client.append([wire.Table("limited", list(range(100)), {}, {"v": list(range(100))})])
        with self.assertRaises(wire.MartletError) as caught:
            self.client.execute("SELECT * FROM limited", max_rows=10)
        self.assertEqual(caught.exception.code, 16)

    def test_an_unknown_namespace_is_refused(self):
        for attempt in (lambda: self.client.execute("SELECT 1", namespace="nobody"),
                        lambda: self.client.append([wire.Table("t", [1], {}, {"v": [1]})], namespace="nobody")):
            with self.assertRaises(wire.MartletError) as caught:
                attempt()
            self.assertEqual(caught.exception.code, 8)


if __name__ == "__main__":
    unittest.main()
