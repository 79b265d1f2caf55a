// RUN: tile
// TARGET: tests/targets/tiny.toml
// Five rows on two node rows: the second has two, so the loop's trip count is a table.
#x = #mesh.layout<FP32, grid 2 x 3, [5 by row step 3, 16]>
func.func @main(%x: tensor<5x16xf32, #x>) -> tensor<5x16xf32, #x> {
  %y = nn.fused %x : tensor<5x16xf32, #x> {
  ^bb0(%a: tensor<5x16xf32>):
    %t = nn.negate %a : tensor<5x16xf32>
    nn.yield %t : tensor<5x16xf32>
  }
  func.return %y : tensor<5x16xf32, #x>
}
// CHECK: tile.kernel @elementwise_0
// CHECK: [[ROWS:%[0-9a-z]+]]: index
// CHECK: tile.for level 0 upto [[ROWS]]
// CHECK: tile.vector "vneg"
// CHECK: tile.call @elementwise_0({{.*}}) scalars ["tile.table.{{[0-9a-f]+}}"]
