// RUN: allocate,route,select
// TARGET: tests/targets/tiny.toml
tile.kernel @sum {
^bb0(%y: memref<16xf32>, %x: memref<6x16xf32>):
  %total = tile.cell {init = 0.0 : f32}
  tile.for level 0 times 6 {
    %a = tile.load %x granules 1 as "FP32" <strides [64, 0, 0, 0, 0, 0]> : memref<6x16xf32>
    tile.accumulate "vacc" %total, %a
  }
  tile.store %total to %y granules 1 as "FP32" <> : memref<16xf32>
}
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [6, 16]> : memref<6x16xf32>
  tile.input %x from "x" "float32" [6, 16] : memref<6x16xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [16]> : memref<16xf32>
  tile.call @sum(%y, %x) scalars [] : memref<16xf32>, memref<6x16xf32>
  tile.output %y to "y" "float32" [16] : memref<16xf32>
}
// CHECK: disa.vli [[TOTAL:v[0-9]+]], 0.0
// CHECK: disa.loop L0, 6
// CHECK-NEXT: disa.vld [[A:v[0-9]+]], a0
// CHECK-NEXT: disa.vacc [[TOTAL]], [[A]]
// CHECK-NEXT: disa.end
// CHECK: disa.vst [[TOTAL]], a0
