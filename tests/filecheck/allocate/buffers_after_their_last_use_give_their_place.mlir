// RUN: allocate
// TARGET: tests/targets/tiny.toml
// x is dead once y is made, so z may take its place; y lies beside both.
tile.kernel @copy {
^bb0(%to: memref<64xf32>, %from: memref<64xf32>):
  tile.for level 0 times 4 {
    %a = tile.load %from granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
    tile.store %a to %to granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<64xf32>
  }
}
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.input %x from "x" "float32" [64] : memref<64xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.call @copy(%y, %x) scalars [] : memref<64xf32>, memref<64xf32>
  %z = tile.alloc "z" layout #mesh.layout<FP32, grid 2 x 3, [64]> : memref<64xf32>
  tile.call @copy(%z, %y) scalars [] : memref<64xf32>, memref<64xf32>
  tile.output %z to "z" "float32" [64] : memref<64xf32>
}
// CHECK: tile.program @main
// CHECK: tile.alloc "x" {{.*}} address [[X:[0-9]+]] :
// CHECK: tile.alloc "y" {{.*}} address [[Y:[0-9]+]] :
// CHECK: tile.alloc "z" {{.*}} address [[X]] :
// CHECK: sram_peak = 512 : i64
