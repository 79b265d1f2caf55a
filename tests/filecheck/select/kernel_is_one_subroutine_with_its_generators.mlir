// RUN: allocate,route,select
// TARGET: tests/targets/tiny.toml
// Two accesses that differ in their first granule share a generator; set-up stands before the loop.
tile.kernel @double {
^bb0(%y: memref<6x32xf32>, %x: memref<6x32xf32>, %rows: index):
  tile.for level 0 upto %rows {
    %a = tile.load %x granules 1 as "FP32" <strides [128, 0, 0, 0, 0, 0], pitch 64> : memref<6x32xf32>
    %b = tile.load %x granules 1 as "FP32" <strides [128, 0, 0, 0, 0, 0], pitch 64, first 1> : memref<6x32xf32>
    %c = tile.vector "vadd" %a, %b : !tile.vec, !tile.vec -> !tile.vec
    tile.store %c to %y granules 1 as "FP32" <strides [128, 0, 0, 0, 0, 0]> : memref<6x32xf32>
  }
}
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [6, 32]> : memref<6x32xf32>
  tile.input %x from "x" "float32" [6, 32] : memref<6x32xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [6, 32]> : memref<6x32xf32>
  tile.call @double(%y, %x) scalars [6] {loc = "node 'Add_0'"} : memref<6x32xf32>, memref<6x32xf32>
  tile.call @double(%y, %x) scalars [4] {loc = "node 'Add_1'"} : memref<6x32xf32>, memref<6x32xf32>
  tile.output %y to "y" "float32" [6, 32] : memref<6x32xf32>
}
// CHECK: marks [#disa.mark_of<"double", "node 'Add_0'">, #disa.mark_of<"double", "node 'Add_1'">]
// CHECK: disa.thread 0
// CHECK-NEXT: disa.mark 0
// CHECK-NEXT: disa.li x8, [[Y:[0-9]+]]
// CHECK-NEXT: disa.li x9, [[X:[0-9]+]]
// CHECK-NEXT: disa.li x10, 6
// CHECK-NEXT: disa.call @double
// CHECK-NEXT: disa.mark 1
// CHECK-NEXT: disa.li x10, 4
// CHECK-NEXT: disa.call @double
// CHECK-NEXT: disa.halt
// CHECK-NOT: disa.thread 1
// CHECK: disa.kernel @double
// CHECK: disa.abase a0, x9
// CHECK: disa.apitch a0, 64
// CHECK: disa.abase a1, x8
// CHECK: disa.loopx L0, x10
// CHECK-NEXT: disa.vld v0, a0, d0, 0
// CHECK-NEXT: disa.vld v1, a0, d0, 1
// CHECK-NEXT: disa.vadd v0, v0, v1
// CHECK-NEXT: disa.vst v0, a1, d0, 0
// CHECK-NEXT: disa.end
// CHECK-NEXT: disa.ret
// CHECK: disa.port "input" "x" {{.*}} in @grid at [[X]]
// CHECK: disa.port "output" "y" {{.*}} in @grid at [[Y]]
