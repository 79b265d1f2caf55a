// RUN: allocate,route,select
// TARGET: tests/targets/tiny.toml
// Thread 0 tells thread 1, which starts the list behind the barrier. Arrivals differ between nodes,
// so what the node waits for comes from its row of the parameter table, at address 0.
// SEGMENT: s 0>1 bytes 64
tile.program @main grid [2, 3] {
  %x = tile.alloc "x" layout #mesh.layout<FP32, grid 2 x 3, [16]> : memref<16xf32>
  tile.input %x from "x" "float32" [16] : memref<16xf32>
  %y = tile.alloc "y" layout #mesh.layout<FP32, grid 2 x 3, [16]> : memref<16xf32>
  tile.exchange 3 %x to %y by "s" zero_fill bytes 64 cycles 0 {loc = "node 'Slice_0'"} : memref<16xf32> to memref<16xf32>
  tile.output %y to "y" "float32" [16] : memref<16xf32>
}
// CHECK: lists "lists"
// CHECK: disa.thread 0
// CHECK: disa.call @[[CLEAR:[a-z_.]+]]
// CHECK-NEXT: disa.post s0, 1
// CHECK: disa.ldx [[COUNT:x[0-9]+]], a15, 0
// CHECK-NEXT: disa.waitx [[SEMAPHORE:s[0-9]+]], [[COUNT]]
// CHECK-NEXT: disa.halt
// CHECK: disa.thread 1
// CHECK: disa.wait s0, 1
// CHECK-NEXT: disa.rbar 0
// CHECK-NEXT: disa.push 3
// CHECK-NEXT: disa.halt
// CHECK: disa.kernel @[[CLEAR]]
// CHECK: disa.image "parameters" in @grid at 0
