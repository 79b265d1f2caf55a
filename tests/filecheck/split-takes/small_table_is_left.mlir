// RUN: split-takes
// TARGET: tests/targets/tiny.toml
// RESOURCE: words 101x16 random 1
// CHECK: nn.take %w, %i {axis = 0
// CHECK-NOT: nn.reduce
func.func @main(%i: tensor<3x5xi32>) -> tensor<3x5x16xf32> {
  %w = nn.constant {resource = "words", shape = [101, 16], element_type = f32, loc = "node 'Gather_0'"} : tensor<101x16xf32>
  %t = nn.take %w, %i {axis = 0, loc = "node 'Gather_0'"} : (tensor<101x16xf32>, tensor<3x5xi32>) -> tensor<3x5x16xf32>
  func.return %t : tensor<3x5x16xf32>
}
