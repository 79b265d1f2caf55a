// RUN: relay
// TARGET: tests/targets/tiny.toml
// SEGMENT: s 0>0 bytes 24576
// SEGMENT: s 0>1 bytes 24576
// SEGMENT: s 0>2 bytes 24576
// SEGMENT: s 0>3 bytes 24576
// SEGMENT: s 0>4 bytes 24576
// SEGMENT: s 0>5 bytes 24576
// SEGMENT: t 0>1 bytes 24576
// SEGMENT: t 2>3 bytes 24576
// All six nodes read the same 24 KiB of node 0. The next exchange brings two nodes bytes of their own.
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [6144]> : memref<6144xf32>
  tile.input %x from "x" "float32" [6144] : memref<6144xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [6144]> : memref<6144xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [6144]> : memref<6144xf32>
  tile.exchange 3 %x to %y by "s" bytes 24576 cycles 0 : memref<6144xf32> to memref<6144xf32>
  tile.exchange 5 %y to %z by "t" bytes 24576 cycles 0 : memref<6144xf32> to memref<6144xf32>
  tile.output %z to "z" "float32" [6144] : memref<6144xf32>
}
// CHECK: tile.exchange 0 {{.*}} by "s" {{.*}} {relay = "tile.relay.{{[0-9a-f]+}}", lists = [[LISTS:[0-9]+]] : i64, counters = {{[0-9]+}} : i64}
// CHECK: tile.exchange [[LISTS]] {{.*}} by "t" bytes 24576 cycles 0 :
