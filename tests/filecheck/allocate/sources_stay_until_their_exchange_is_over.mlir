// RUN: allocate
// TARGET: tests/targets/tiny.toml
// The list parser reads x until y is waited for, so z may not take x's place. The parameter table
// (arrivals differ between nodes) has the first line of SRAM.
// SEGMENT: s 0>1 bytes 256
tile.kernel @one {
^bb0(%to: memref<64xf32>):
  %a = tile.splat {value = 1.0 : f32}
  tile.store %a to %to granules 1 as "FP32" <> : memref<64xf32>
}
tile.kernel @copy {
^bb0(%to: memref<64xf32>, %from: memref<64xf32>):
  %a = tile.load %from granules 1 as "FP32" <> : memref<64xf32>
  tile.store %a to %to granules 1 as "FP32" <> : memref<64xf32>
}
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.exchange 0 %x to %y by "s" bytes 256 cycles 0 : memref<64xf32> to memref<64xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.call @one(%z) scalars [] : memref<64xf32>
  tile.call @copy(%z, %y) scalars [] : memref<64xf32>, memref<64xf32>
  tile.output %z to "z" "float32" [64] : memref<64xf32>
}
// CHECK-NOT: address 0 :
// CHECK: tile.alloc "x" {{.*}} address [[X:[0-9]+]] :
// CHECK-NOT: tile.alloc {{.*}} address [[X]] :
// CHECK: sram_peak = 832 : i64
