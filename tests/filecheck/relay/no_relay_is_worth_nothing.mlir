// RUN: relay{worth=0.0}
// TARGET: tests/targets/tiny.toml
// SEGMENT: s 0>0 bytes 24576
// SEGMENT: s 0>1 bytes 24576
// SEGMENT: s 0>2 bytes 24576
// SEGMENT: s 0>3 bytes 24576
// SEGMENT: s 0>4 bytes 24576
// SEGMENT: s 0>5 bytes 24576
// SEGMENT: t 0>1 bytes 24576
// SEGMENT: t 2>3 bytes 24576
// A relay may take none of the cycles of pushes, so everything is pushed; lists are numbered anew.
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [6144]> : memref<6144xf32>
  tile.input %x from "x" "float32" [6144] : memref<6144xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [6144]> : memref<6144xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [6144]> : memref<6144xf32>
  tile.exchange 3 %x to %y by "s" bytes 24576 cycles 0 : memref<6144xf32> to memref<6144xf32>
  tile.exchange 5 %y to %z by "t" bytes 24576 cycles 0 : memref<6144xf32> to memref<6144xf32>
  tile.output %z to "z" "float32" [6144] : memref<6144xf32>
}
// CHECK: tile.exchange 0 {{.*}} by "s" bytes 24576 cycles 0 :
// CHECK: tile.exchange 1 {{.*}} by "t" bytes 24576 cycles 0 :
