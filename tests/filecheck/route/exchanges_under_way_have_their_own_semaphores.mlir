// RUN: route
// TARGET: tests/targets/tiny.toml
// The first two are under way together; the third starts when they have been waited for.
// SEGMENT: s 0>1 bytes 64
tile.kernel @add {
^bb0(%to: memref<16xf32>, %one: memref<16xf32>, %other: memref<16xf32>):
  %a = tile.load %one granules 1 as "FP32" <> : memref<16xf32>
  %b = tile.load %other granules 1 as "FP32" <> : memref<16xf32>
  %c = tile.vector "vadd" %a, %b : !tile.vec, !tile.vec -> !tile.vec
  tile.store %c to %to granules 1 as "FP32" <> : memref<16xf32>
}
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [16]> address 0 : memref<16xf32>
  tile.input %x from "x" "float32" [16] : memref<16xf32>
  %a = tile.alloc "a" layout #mesh.layout<FP32, grid 2 x 3, [16]> address 64 : memref<16xf32>
  %b = tile.alloc "b" layout #mesh.layout<FP32, grid 2 x 3, [16]> address 128 : memref<16xf32>
  tile.exchange 0 %x to %a by "s" bytes 64 cycles 0 : memref<16xf32> to memref<16xf32>
  tile.exchange 1 %x to %b by "s" bytes 64 cycles 0 : memref<16xf32> to memref<16xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [16]> address 192 : memref<16xf32>
  tile.call @add(%y, %a, %b) scalars [] : memref<16xf32>, memref<16xf32>, memref<16xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [16]> address 256 : memref<16xf32>
  tile.exchange 2 %y to %z by "s" bytes 64 cycles 0 : memref<16xf32> to memref<16xf32>
  tile.output %z to "z" "float32" [16] : memref<16xf32>
}
// CHECK: tile.exchange 0 {{.*}} {semaphore = [[FIRST:[1-9][0-9]*]] :
// CHECK-NOT: tile.exchange 1 {{.*}} {semaphore = [[FIRST]] :
// CHECK: tile.exchange 2 {{.*}} {semaphore = [[FIRST]] :
