// RUN: tile
// TARGET: tests/targets/tiny.toml
// RESOURCE: w 6x32 random 1
// A constant without a layout gets no buffer and no image: what loads it names the resource.
#whole = #mesh.layout<FP32, grid 2 x 3, [6, 32]>
#rows = #mesh.layout<FP32, grid 2 x 3, [6 by row step 3, 32]>
func.func @main(%x: tensor<6x32xf32, #whole>) -> tensor<6x32xf32, #rows> {
  %w = nn.constant {resource = "w", shape = [6, 32], element_type = f32, loc = "node 'Add_0'"} : tensor<6x32xf32>
  %y = mesh.exchange %w {kind = "load", bytes = 2304, cycles = 40, zero_dims = [1], loc = "node 'Add_0'"} : (tensor<6x32xf32>) -> tensor<6x32xf32, #rows> {
  ^bb0(%a: tensor<6x32xf32>):
    nn.yield %a : tensor<6x32xf32>
  }
  func.return %y : tensor<6x32xf32, #rows>
}
// CHECK-NOT: tile.image
// CHECK: [[Y:%[0-9a-z]+]] = tile.alloc "node 'Add_0'"
// CHECK-NEXT: tile.exchange 0 load "w" to [[Y]] by "tile.segments.{{[0-9a-f]+}}" bytes 2304 cycles 40
// CHECK-NOT: tile.image
