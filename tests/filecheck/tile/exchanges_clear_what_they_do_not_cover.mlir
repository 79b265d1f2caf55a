// RUN: tile
// TARGET: tests/targets/tiny.toml
// Rows become columns' shards; the pads of the last dim are not written, so they are cleared first.
#rows = #mesh.layout<FP32, grid 2 x 3, [6 by row step 3, 40 physical 48]>
#cols = #mesh.layout<FP32, grid 2 x 3, [6, 40 by col step 16]>
func.func @main(%x: tensor<6x40xf32, #rows>) -> tensor<6x40xf32, #cols> {
  %y = mesh.exchange %x {kind = "reshard", bytes = 960, cycles = 40, zero_dims = [1], loc = "node 'Add_0'"} : (tensor<6x40xf32, #rows>) -> tensor<6x40xf32, #cols> {
  ^bb0(%a: tensor<6x40xf32>):
    nn.yield %a : tensor<6x40xf32>
  }
  func.return %y : tensor<6x40xf32, #cols>
}
// CHECK: [[X:%[0-9a-z]+]] = tile.alloc "arg0"
// CHECK: [[Y:%[0-9a-z]+]] = tile.alloc
// CHECK: tile.exchange 0 [[X]] to [[Y]] by "tile.segments.{{[0-9a-f]+}}" zero_fill bytes 960 cycles 40 mark "node 'Add_0'"
// CHECK: tile.output [[Y]] to "result0" "float32"
